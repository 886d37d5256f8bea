//! From local clocks to instants: the one place that reads time-zone rules.
//!
//! In a gap the local time moves forward by the length of the gap, in a fold the earlier instant
//! is taken (RFC 5545, section 3.3.5).

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::calendar::{DAY_US, HOUR_US, SECOND_US};
use super::span::Span;

/// The offsets of one zone over a range of time.
///
/// A local time reads as the offset of the last rule that starts at or before it. A rule's first
/// local time is that of its instant on whichever of the two clocks shows the later time: this
/// leaves the times of a gap, and the first pass of a fold, to the rule before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalClock {
    first_offset_us: i64,
    changes: Vec<OffsetChange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetChange {
    /// Instant from which the offset holds, UTC.
    pub at: i64,
    /// First local time that is read with the offset.
    pub local_from: i64,
    /// Local time minus UTC.
    pub offset_us: i64,
}

impl LocalClock {
    /// The clock of a zone, right for every local time shown within the range, and for two days
    /// before and after it.
    pub fn over(zone: Tz, range: Span) -> Self {
        // Rules change at most every few hours, so that an hour's step cannot jump over two.
        const STEP_US: i64 = HOUR_US;
        const MARGIN_US: i64 = 4 * DAY_US;
        let last_at = range.ends_at() + MARGIN_US;
        let mut at = range.starts_at() - MARGIN_US;
        let first_offset_us = offset_us(zone, at);
        let mut clock = Self { first_offset_us, changes: Vec::new() };
        let mut before_us = first_offset_us;
        while at < last_at {
            let next_at = at + STEP_US;
            let after_us = offset_us(zone, next_at);
            if after_us != before_us {
                clock.changes.push(change_between(zone, at, next_at));
                before_us = after_us;
            }
            at = next_at;
        }
        clock
    }

    /// Offset that holds before the first change.
    pub fn first_offset_us(&self) -> i64 {
        self.first_offset_us
    }

    pub fn changes(&self) -> &[OffsetChange] {
        &self.changes
    }

    /// The instant at which the local time is shown.
    pub fn instant_of(&self, local_us: i64) -> i64 {
        let read = self.changes.partition_point(|change| change.local_from <= local_us);
        local_us - self.offset_after(read)
    }

    /// The local time shown at an instant.
    pub fn local_at(&self, instant_us: i64) -> i64 {
        let passed = self.changes.partition_point(|change| change.at <= instant_us);
        instant_us + self.offset_after(passed)
    }

    fn offset_after(&self, changes: usize) -> i64 {
        match changes.checked_sub(1) {
            Some(last) => self.changes[last].offset_us,
            None => self.first_offset_us,
        }
    }
}

/// The change of offset that happens after `before_at` and not after `after_at`.
fn change_between(zone: Tz, before_at: i64, after_at: i64) -> OffsetChange {
    let (before_us, after_us) = (offset_us(zone, before_at), offset_us(zone, after_at));
    // Rules change at whole seconds.
    let (mut low_s, mut high_s) = (before_at.div_euclid(SECOND_US), after_at.div_euclid(SECOND_US));
    while high_s - low_s > 1 {
        let middle_s = low_s + (high_s - low_s) / 2;
        if offset_us(zone, middle_s * SECOND_US) == before_us {
            low_s = middle_s;
        } else {
            high_s = middle_s;
        }
    }
    let at = high_s * SECOND_US;
    OffsetChange { at, local_from: at + before_us.max(after_us), offset_us: after_us }
}

/// Local time minus UTC at an instant; that of the nearest representable date beyond chrono's.
fn offset_us(zone: Tz, instant_us: i64) -> i64 {
    let instant = DateTime::from_timestamp_micros(instant_us).unwrap_or(if instant_us < 0 {
        DateTime::UNIX_EPOCH
    } else {
        DateTime::<chrono::Utc>::MAX_UTC
    });
    let offset = zone.offset_from_utc_datetime(&instant.naive_utc()).fix();
    i64::from(offset.local_minus_utc()) * SECOND_US
}
