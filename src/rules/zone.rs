//! Time zones: local times to instants and back.
//!
//! A local time in a gap moves forward by the length of the gap; an ambiguous local time, in a
//! fold, means the earlier instant (RFC 5545, section 3.3.5).

mod edition;
mod name;
mod offsets;

pub use self::edition::{ZoneRules, parse_edition};
pub use self::name::ZoneName;
pub use self::offsets::Zone;

use super::calendar::DAY_US;
use super::span::Span;

/// Offsets of one zone over a range of time.
///
/// A local time is read with the offset of the last change whose `local_from` is not after it.
/// `local_from` is the later of the local times before and after the change, which leaves the gap,
/// and the first pass of a fold, to the offset before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalClock {
    first_offset_us: i64,
    changes: Vec<OffsetChange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetChange {
    /// Instant from which the offset holds, in microseconds UTC.
    pub at: i64,
    /// First local time that is read with the offset.
    pub local_from: i64,
    /// Local time minus UTC, in microseconds.
    pub offset_us: i64,
}

impl LocalClock {
    /// Clock of a zone, correct for local times within the range and two days before and after it.
    pub fn over(zone: &Zone, range: Span) -> Self {
        const MARGIN_US: i64 = 4 * DAY_US;
        let from = range.starts_at().saturating_sub(MARGIN_US);
        let to = range.ends_at().saturating_add(MARGIN_US);
        let first_offset_us = zone.offset_us(from);
        let mut before_us = first_offset_us;
        let changes = zone.changes(from, to).into_iter().map(|(at, offset_us)| {
            let local_from = at + before_us.max(offset_us);
            before_us = offset_us;
            OffsetChange { at, local_from, offset_us }
        });
        Self { first_offset_us, changes: changes.collect() }
    }

    /// Offset before the first change.
    pub fn first_offset_us(&self) -> i64 {
        self.first_offset_us
    }

    pub fn changes(&self) -> &[OffsetChange] {
        &self.changes
    }

    /// Instant of a local time, with gaps and folds resolved.
    pub fn instant_of(&self, local_us: i64) -> i64 {
        let read = self.changes.partition_point(|change| change.local_from <= local_us);
        local_us - self.offset_after(read)
    }

    /// Local time at an instant.
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

#[cfg(test)]
mod tests;
