//! Parses the zone of `AT TIME ZONE`: a named zone with its rules, or a fixed offset.

use std::sync::Arc;

use arrow::datatypes::IntervalMonthDayNano;
use datafusion::common::internal_err;
use datafusion::error::Result;
use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;

use super::super::open_spans::{cached_clock, check_instant};
use super::value_error;
use crate::rules::calendar::DAY_US;
use crate::rules::instant::quoted;
use crate::rules::{LocalClock, Span, Zone, ZoneRules};

/// Converts between instants and local times.
pub enum UtcOffset {
    Zone(ZoneClock),
    /// Local time minus UTC, microseconds.
    Fixed(i64),
}

impl UtcOffset {
    /// Parses the name of a zone.
    ///
    /// # Errors
    /// If the rules do not contain the zone.
    pub fn named(zones: &ZoneRules, text: &str) -> Result<Self> {
        let name = text.trim();
        if let Some(zone) = zones.zone(name) {
            return Ok(Self::Zone(ZoneClock::new(zone)?));
        }
        if name.eq_ignore_ascii_case("z") {
            return Ok(Self::Fixed(0));
        }
        let quoted = quoted(text.as_bytes());
        let is_offset =
            name.starts_with(|sign: char| "+-<".contains(sign) || sign.is_ascii_digit());
        Err(value_error(match zones.nearest_name(name) {
            _ if is_offset => format!(
                "{quoted} is not the name of a zone, and its sign would be read as PostgreSQL \
                 does, west of Greenwich; expected INTERVAL '+HH:MM', or an IANA name like \
                 America/Chicago"
            ),
            Some(near) => format!("time zone {quoted} is unknown; did you mean {near}?"),
            None => format!(
                "time zone {quoted} is unknown; expected an IANA name like America/Chicago, or \
                 INTERVAL '+HH:MM'"
            ),
        }))
    }

    /// Converts an interval to a fixed offset.
    ///
    /// # Errors
    /// If the interval contains months or days.
    pub fn fixed(interval: IntervalMonthDayNano) -> Result<Self> {
        let offset_us = interval.nanoseconds / 1000;
        if interval.months != 0 || interval.days != 0 || offset_us.abs() >= DAY_US {
            return Err(value_error(
                "the interval of a zone is of days or longer; expected one like INTERVAL '+05:30'",
            ));
        }
        Ok(Self::Fixed(offset_us))
    }

    /// Converts an instant to local time; microseconds.
    ///
    /// # Errors
    /// If the instant is not within the years 1 to 9999.
    pub fn local_at(&mut self, instant_us: i64) -> Result<i64> {
        check_instant(instant_us)?;
        Ok(match self {
            Self::Zone(zone) => zone.over(instant_us)?.local_at(instant_us),
            Self::Fixed(offset_us) => instant_us + *offset_us,
        })
    }

    /// Converts a local time to an instant. A skipped local time moves forward by the length of the
    /// gap; an ambiguous one is the earlier instant.
    ///
    /// # Errors
    /// If the local time is not within the years 1 to 9999.
    pub fn instant_of(&mut self, local_us: i64) -> Result<i64> {
        check_instant(local_us)?;
        Ok(match self {
            Self::Zone(zone) => zone.over(local_us)?.instant_of(local_us),
            Self::Fixed(offset_us) => local_us - *offset_us,
        })
    }
}

/// Clock of a zone, loaded for a few years at a time.
pub struct ZoneClock {
    zone: Zone,
    starts_at: i64,
    clock: Arc<LocalClock>,
}

impl ZoneClock {
    /// Loading rules is slow, and few queries cover a longer span.
    const CLOCK_SPAN_US: i64 = 4 * 366 * DAY_US;

    fn new(zone: Zone) -> Result<Self> {
        let clock = Self::from(&zone, 0)?;
        Ok(Self { zone, starts_at: 0, clock })
    }

    fn from(zone: &Zone, starts_at: i64) -> Result<Arc<LocalClock>> {
        match Span::new(starts_at, starts_at + Self::CLOCK_SPAN_US) {
            Some(range) => Ok(cached_clock(zone, range)),
            None => internal_err!("the span of a clock is empty"),
        }
    }

    fn over(&mut self, at: i64) -> Result<&LocalClock> {
        let starts_at = at - at.rem_euclid(Self::CLOCK_SPAN_US);
        if starts_at != self.starts_at {
            self.clock = Self::from(&self.zone, starts_at)?;
            self.starts_at = starts_at;
        }
        Ok(&self.clock)
    }
}

/// Cache of the zones that a batch names.
pub struct UtcOffsetCache<'z> {
    zones: &'z ZoneRules,
    known: HashMap<String, UtcOffset>,
}

impl<'z> UtcOffsetCache<'z> {
    pub fn new(zones: &'z ZoneRules) -> Self {
        Self { zones, known: HashMap::new() }
    }

    /// Looks up or parses a zone.
    ///
    /// # Errors
    /// As for [`UtcOffset::named`].
    pub fn named(&mut self, text: &str) -> Result<&mut UtcOffset> {
        match self.known.entry_ref(text) {
            EntryRef::Occupied(known) => Ok(known.into_mut()),
            EntryRef::Vacant(unknown) => Ok(unknown.insert(UtcOffset::named(self.zones, text)?)),
        }
    }
}
