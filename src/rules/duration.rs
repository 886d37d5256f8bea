//! Texts of durations.

use std::time::Duration;

use super::calendar::DAY_US;

const LONGEST_US: i64 = 36_525 * DAY_US;

/// Parses a positive duration such as `2h`, `90m` or `1h 30m` into microseconds.
///
/// # Errors
/// A sentence that says what is expected, also for more than a century.
pub fn duration_us(text: &str) -> Result<i64, String> {
    let expected = "expected a duration like 2h, 90m or 1h 30m";
    let duration = humantime::parse_duration(text).map_err(|_| expected.to_owned())?;
    match i64::try_from(duration.as_micros()) {
        Ok(duration_us @ 1..=LONGEST_US) => Ok(duration_us),
        _ => Err(format!("is not between a microsecond and a century; {expected}")),
    }
}

/// Formats a duration so that [`duration_us`] reads it back.
pub fn duration_text(duration_us: i64) -> String {
    humantime::format_duration(Duration::from_micros(duration_us.unsigned_abs())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_it_is_written() {
        for us in [1, 999, 90 * 60_000_000, 7_200_000_001, LONGEST_US] {
            assert_eq!(duration_us(&duration_text(us)), Ok(us), "{}", duration_text(us));
        }
        assert!(duration_us("0s").is_err());
        assert!(duration_us(&duration_text(LONGEST_US + 1)).is_err());
    }
}
