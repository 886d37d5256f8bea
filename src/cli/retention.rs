//! Value of `--retain`: an age, a number of reports, and a size.

use std::fmt;

use super::arguments::{bytes, bytes_text, duration_us};
use crate::rules::calendar::DAY_US;
use crate::rules::duration::duration_text;
use crate::server::{Retention, Settings};

/// Parses `30d`, `1000`, `10GB`, or several separated by commas; the others keep their defaults.
///
/// # Errors
/// A message that names the invalid part.
pub fn retention(text: &str) -> std::result::Result<Retention, String> {
    let mut retention = Settings::default().reports.retention;
    for part in text.split(',').map(str::trim) {
        if let Ok(reports_max) = part.parse() {
            retention.reports_max = reports_max;
        } else if let Ok(bytes) = bytes(part) {
            retention.bytes_max = bytes as u64;
        } else {
            retention.age_us = duration_us(part).map_err(|_| {
                format!(
                    "expected an age like 30d, a number of reports, or a size like 10GB, not {part:?}"
                )
            })?;
        }
    }
    Ok(retention)
}

/// In the syntax of [`retention`].
impl fmt::Display for Retention {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.age_us % DAY_US {
            0 => write!(formatter, "{}d", self.age_us / DAY_US)?,
            _ => formatter.write_str(&duration_text(self.age_us))?,
        }
        let bytes_max = usize::try_from(self.bytes_max).unwrap_or(usize::MAX);
        write!(formatter, ",{},{}", self.reports_max, bytes_text(bytes_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_survives_a_round_trip() {
        let usual = Settings::default().reports.retention;
        for (text, expected) in [
            ("7d", Retention { age_us: 7 * DAY_US, ..usual }),
            ("5", Retention { reports_max: 5, ..usual }),
            ("90m, 5", Retention { age_us: 5_400_000_000, reports_max: 5, ..usual }),
            ("64MiB", Retention { bytes_max: 64 << 20, ..usual }),
            (
                "7d,5,1GB",
                Retention { age_us: 7 * DAY_US, reports_max: 5, bytes_max: 1_000_000_000 },
            ),
        ] {
            assert_eq!(retention(text), Ok(expected), "{text}");
            assert_eq!(retention(&expected.to_string()), Ok(expected), "{expected}");
        }
        assert_eq!(usual.to_string(), "30d,1000,10GB");
        assert!(retention("soon").is_err() && retention("").is_err());
    }
}
