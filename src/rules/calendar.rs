//! Days and weekdays by integer arithmetic; day 0 is 1970-01-01.

pub const SECOND_US: i64 = 1_000_000;
pub const MINUTE_US: i64 = 60 * SECOND_US;
pub const HOUR_US: i64 = 60 * MINUTE_US;
pub const DAY_US: i64 = 24 * HOUR_US;
/// Seconds of a day in local time, without transitions.
pub const DAY_S: u32 = 86_400;

/// Day of an instant: the UTC day of a UTC instant, the local day of a local time.
pub fn day_of(instant_us: i64) -> i64 {
    instant_us.div_euclid(DAY_US)
}

/// Weekday of a day; 0 is Monday, 6 is Sunday.
pub fn weekday_of(day: i64) -> u8 {
    // 1970-01-01 was a Thursday.
    (day + 3).rem_euclid(7) as u8
}

/// Formats an instant as RFC 3339 in UTC, to the microsecond.
pub fn instant_text(instant_us: i64) -> String {
    match chrono::DateTime::from_timestamp_micros(instant_us) {
        Some(instant) => instant.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        None => format!("{instant_us} microseconds"),
    }
}

/// Formats local time minus UTC as `-06:00`, with seconds if there are any.
pub fn offset_text(offset_us: i64) -> String {
    let sign = if offset_us < 0 { '-' } else { '+' };
    let offset_s = offset_us.abs() / SECOND_US;
    let (hours, minutes, seconds) = (offset_s / 3600, offset_s / 60 % 60, offset_s % 60);
    match seconds {
        0 => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// Formats an instant as local time at the offset, in RFC 3339 with as few digits of the second as
/// possible: `2023-11-05T01:30:00-05:00`.
pub fn local_text(instant_us: i64, offset_us: i64) -> String {
    let local = instant_us.checked_add(offset_us).and_then(chrono::DateTime::from_timestamp_micros);
    match local {
        Some(local) => {
            let shown = local.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
            format!("{}{}", shown.trim_end_matches('Z'), offset_text(offset_us))
        }
        None => format!("{instant_us} microseconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_weekdays_agree_with_chrono() {
        use chrono::{DateTime, Datelike};
        for day in (-800_000..800_000).step_by(997) {
            let date = DateTime::from_timestamp_micros(day * DAY_US).unwrap().date_naive();
            assert_eq!(weekday_of(day), date.weekday().num_days_from_monday() as u8, "{date}");
            assert_eq!((day_of(day * DAY_US), day_of(day * DAY_US - 1)), (day, day - 1));
        }
    }

    #[test]
    fn a_local_time_carries_its_offset() {
        let fall = 19_666 * DAY_US + 6 * HOUR_US + 30 * MINUTE_US;
        for (instant, offset, expected) in [
            (fall, -5 * HOUR_US, "2023-11-05T01:30:00-05:00"),
            (fall + HOUR_US, -6 * HOUR_US, "2023-11-05T01:30:00-06:00"),
            (fall + 1, 0, "2023-11-05T06:30:00.000001+00:00"),
            (fall, 5 * HOUR_US + 30 * MINUTE_US, "2023-11-05T12:00:00+05:30"),
            (fall, -(4 * HOUR_US + 56 * MINUTE_US + 2 * SECOND_US), "2023-11-05T01:33:58-04:56:02"),
        ] {
            assert_eq!(local_text(instant, offset), expected);
        }
    }
}
