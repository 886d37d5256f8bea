//! Days and weekdays by integer arithmetic on instants; day 0 is 1970-01-01.

pub const SECOND_US: i64 = 1_000_000;
pub const MINUTE_US: i64 = 60 * SECOND_US;
pub const HOUR_US: i64 = 60 * MINUTE_US;
pub const DAY_US: i64 = 24 * HOUR_US;
/// Seconds of a calendar day as clocks on the wall count it.
pub const DAY_S: u32 = 86_400;

/// The day that holds an instant of the same clock (UTC instant and UTC day, or local and local).
pub fn day_of(instant_us: i64) -> i64 {
    instant_us.div_euclid(DAY_US)
}

/// Monday is 0, Sunday 6.
pub fn weekday_of(day: i64) -> u8 {
    // 1970-01-01 was a Thursday.
    (day + 3).rem_euclid(7) as u8
}

/// An instant in RFC 3339, to the microsecond.
pub fn instant_text(instant_us: i64) -> String {
    match chrono::DateTime::from_timestamp_micros(instant_us) {
        Some(instant) => instant.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
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
}
