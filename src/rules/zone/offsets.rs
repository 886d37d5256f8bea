//! UTC offsets of one zone over time, from TZif or from `chrono-tz`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use chrono::{DateTime, Offset, TimeZone as _};
use chrono_tz::Tz;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::rules::calendar::{HOUR_US, SECOND_US};

/// Zone with its rules; cheap to clone. Equal if names and rules are equal.
#[derive(Clone)]
pub struct Zone(Arc<Inner>);

struct Inner {
    name: String,
    origin: Origin,
}

enum Origin {
    /// TZif data (RFC 9636), with the POSIX TZ string in its footer.
    Tzif { bytes: Arc<[u8]>, rules: TimeZone },
    /// Edition 2025b from `chrono-tz`; the last listed offset holds from then on.
    BuiltIn(Tz),
}

impl Zone {
    /// `None` if the bytes are not valid TZif.
    pub fn from_tzif(name: &str, bytes: Arc<[u8]>) -> Option<Self> {
        let rules = TimeZone::tzif(name, &bytes).ok()?;
        let origin = Origin::Tzif { bytes, rules };
        Some(Self(Arc::new(Inner { name: name.to_owned(), origin })))
    }

    /// Proper name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Local time minus UTC at an instant, in microseconds. Out-of-range instants are clamped to
    /// the years that the source supports.
    pub fn offset_us(&self, at: i64) -> i64 {
        match &self.0.origin {
            Origin::Tzif { rules, .. } => tzif_offset_us(rules, timestamp(at)),
            Origin::BuiltIn(zone) => built_in_offset_us(*zone, at),
        }
    }

    /// Changes of the offset after `from` and up to and including `to`, in order: the instant and
    /// the new offset.
    pub fn changes(&self, from: i64, to: i64) -> Vec<(i64, i64)> {
        match &self.0.origin {
            Origin::Tzif { rules, .. } => tzif_changes(rules, from, to),
            Origin::BuiltIn(zone) => built_in_changes(*zone, from, to),
        }
    }

    /// True if both zones show the same local time at every instant of the range.
    pub fn agrees_with(&self, other: &Self, from: i64, to: i64) -> bool {
        self == other
            || (self.offset_us(from) == other.offset_us(from)
                && self.changes(from, to) == other.changes(from, to))
    }
}

/// The zone as of edition 2025b.
impl From<Tz> for Zone {
    fn from(zone: Tz) -> Self {
        let name = zone.name().to_owned();
        Self(Arc::new(Inner { name, origin: Origin::BuiltIn(zone) }))
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.name == other.0.name
                && match (&self.0.origin, &other.0.origin) {
                    (Origin::Tzif { bytes, .. }, Origin::Tzif { bytes: others, .. }) => {
                        bytes == others
                    }
                    (Origin::BuiltIn(zone), Origin::BuiltIn(other)) => zone == other,
                    _ => false,
                })
    }
}

impl Eq for Zone {}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, text: &mut fmt::Formatter) -> fmt::Result {
        write!(text, "Zone({})", self.0.name)
    }
}

/// Second of an instant, clamped to jiff's range; offsets change only at whole seconds.
fn timestamp(at: i64) -> Timestamp {
    let second = at.div_euclid(SECOND_US);
    let nearest = if second < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(second).unwrap_or(nearest)
}

fn tzif_offset_us(rules: &TimeZone, at: Timestamp) -> i64 {
    i64::from(rules.to_offset(at).seconds()) * SECOND_US
}

fn tzif_changes(rules: &TimeZone, from: i64, to: i64) -> Vec<(i64, i64)> {
    let from = timestamp(from);
    let mut before_us = tzif_offset_us(rules, from);
    let instants = rules.following(from).map(|transition| transition.timestamp());
    let within = instants.take_while(|at| at.as_microsecond() <= to);
    // Other transitions change only the abbreviation.
    let changed = within.filter_map(|at| {
        let offset_us = tzif_offset_us(rules, at);
        let changes = offset_us != before_us;
        before_us = offset_us;
        changes.then_some((at.as_microsecond(), offset_us))
    });
    changed.collect()
}

fn built_in_changes(zone: Tz, from: i64, to: i64) -> Vec<(i64, i64)> {
    // Offsets change at most every few hours, so a step of one hour never skips two changes.
    const STEP_US: i64 = HOUR_US;
    let (mut changes, mut at) = (Vec::new(), from);
    let mut before_us = built_in_offset_us(zone, from);
    while at < to {
        let next_at = at.saturating_add(STEP_US).min(to);
        let after_us = built_in_offset_us(zone, next_at);
        if after_us != before_us {
            changes.push((change_between(zone, at, next_at), after_us));
            before_us = after_us;
        }
        at = next_at;
    }
    changes
}

/// Finds the change of offset after `before_at` and up to and including `after_at`.
fn change_between(zone: Tz, before_at: i64, after_at: i64) -> i64 {
    let before_us = built_in_offset_us(zone, before_at);
    // Offsets change at whole seconds.
    let (mut low_s, mut high_s) = (before_at.div_euclid(SECOND_US), after_at.div_euclid(SECOND_US));
    while high_s - low_s > 1 {
        let middle_s = low_s + (high_s - low_s) / 2;
        if built_in_offset_us(zone, middle_s * SECOND_US) == before_us {
            low_s = middle_s;
        } else {
            high_s = middle_s;
        }
    }
    high_s * SECOND_US
}

fn built_in_offset_us(zone: Tz, at: i64) -> i64 {
    let instant = DateTime::from_timestamp_micros(at).unwrap_or(if at < 0 {
        DateTime::UNIX_EPOCH
    } else {
        DateTime::<chrono::Utc>::MAX_UTC
    });
    let offset = zone.offset_from_utc_datetime(&instant.naive_utc()).fix();
    i64::from(offset.local_minus_utc()) * SECOND_US
}
