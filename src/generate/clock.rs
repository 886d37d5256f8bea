//! Clock hours of the polls, and blackouts during which no store is polled.

use std::ops::Range;

use chrono::{DateTime, Datelike};

use super::random::Random;

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// Each block of this length has at least one blackout.
const BLOCK_HOURS: u32 = 72;
/// Distance of blackouts from the ends of their block, so that they never touch nor hide the end.
const MARGIN_HOURS: u32 = 2;
/// Number of days from which one blackout is a long one.
const LONG_FROM_DAYS: u32 = 14;

/// Requested range `(starts_at_us, ends_at_us]` and the clock hours that it overlaps.
#[derive(Debug)]
pub struct Clock {
    pub starts_at_us: i64,
    pub ends_at_us: i64,
    pub hours: Vec<ClockHour>,
    pub days: u32,
}

/// Clock hour of UTC; the first and the last may be requested only in part.
#[derive(Debug)]
pub struct ClockHour {
    pub starts_at_us: i64,
    /// Text of an instant in this hour up to the minutes: `2023-01-25 18:`.
    pub text: [u8; 14],
    /// True if no store is polled in this hour.
    pub is_blackout: bool,
}

impl Clock {
    /// # Errors
    ///
    /// `InvalidInput` if the range leaves the years 1 to 9999.
    pub fn new(random: Random, days: u32, ends_at_us: i64) -> std::io::Result<Clock> {
        let too_far =
            || super::invalid(format!("end \"{ends_at_us}\" is not in the years 1 to 9999"));
        let starts_at_us = ends_at_us.checked_sub(i64::from(days) * DAY_US).ok_or_else(too_far)?;
        let first_at_us = starts_at_us.div_euclid(HOUR_US) * HOUR_US;
        let hours = (0..=i64::from(days) * 24)
            .map(|hour| ClockHour::new(first_at_us + hour * HOUR_US))
            .collect::<Option<Vec<_>>>();
        let mut hours = hours.ok_or_else(too_far)?;
        for blackout in blackouts(random, days) {
            for hour in &mut hours[blackout.start as usize..blackout.end as usize] {
                hour.is_blackout = true;
            }
        }
        Ok(Clock { starts_at_us, ends_at_us, hours, days })
    }
}

impl ClockHour {
    fn new(starts_at_us: i64) -> Option<ClockHour> {
        let starts_at = DateTime::from_timestamp_micros(starts_at_us)?;
        if !(1..=9999).contains(&starts_at.year()) {
            return None;
        }
        let text = starts_at.format("%Y-%m-%d %H:").to_string().into_bytes().try_into().ok()?;
        Some(ClockHour { starts_at_us, text, is_blackout: false })
    }
}

/// Ranges of hours without polls, in ascending order.
fn blackouts(random: Random, days: u32) -> impl Iterator<Item = Range<u32>> {
    let hours = days * 24;
    let whole_blocks = u64::from(hours / BLOCK_HOURS);
    let long_block = (days >= LONG_FROM_DAYS).then(|| random.below(whole_blocks) as u32);
    (0..hours.div_ceil(BLOCK_HOURS)).map(move |block| {
        let random = random.with(u64::from(block));
        let block_start = block * BLOCK_HOURS;
        let block_hours = BLOCK_HOURS.min(hours - block_start);
        let length = if long_block == Some(block) {
            38 + random.with(0).below(5) as u32
        } else {
            (3 + random.with(0).below(8) as u32).min(block_hours / 4)
        };
        let room = block_hours - length - 2 * MARGIN_HOURS;
        let start = block_start + MARGIN_HOURS + random.with(1).below(u64::from(room) + 1) as u32;
        start..start + length
    })
}
