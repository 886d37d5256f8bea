//! Names of zones, apart from any rules.

use std::fmt;
use std::str::FromStr;

use super::edition::{ZoneRules, built_in, bundled};

/// Proper name of a zone that this program knows. Its rules come from the dataset's version
/// ([`super::ZoneRules::zone`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ZoneName(&'static str);

impl ZoneName {
    pub const CHICAGO: Self = Self("America/Chicago");

    /// Parses a name in any case; `None` if neither edition has such a zone.
    pub fn parse(text: &str) -> Option<Self> {
        let of_built_in = || built_in(text).map(chrono_tz::Tz::name);
        bundled(text).map(|(name, _)| name).or_else(of_built_in).map(Self)
    }

    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, text: &mut fmt::Formatter) -> fmt::Result {
        text.write_str(self.0)
    }
}

impl FromStr for ZoneName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| ZoneRules::bundled().remedy(text))
    }
}
