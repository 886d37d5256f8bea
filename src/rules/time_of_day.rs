//! Texts of times of day, as business hours have them.

use super::calendar::DAY_S;
use super::instant::number;

/// Parses `H:MM`, `HH:MM`, `HH:MM:SS` or `h:MM[:SS] AM|PM` up to 24:00 into seconds after midnight.
pub fn parse_time_of_day(text: &str) -> Option<u32> {
    let text = text.trim();
    let Some((clock, is_afternoon)) = twelve_hour_clock(text) else {
        return clock_time_s(text);
    };
    // 12 AM is midnight, 12 PM is noon.
    let time_s = clock_time_s(clock).filter(|time_s| (3600..13 * 3600).contains(time_s))?;
    Some(time_s % (DAY_S / 2) + if is_afternoon { DAY_S / 2 } else { 0 })
}

/// Formats a time of day as `09:00`, or as `09:00:30` if there are seconds.
pub fn time_of_day_text(time_s: u32) -> String {
    let (hours, minutes, seconds) = (time_s / 3600, time_s / 60 % 60, time_s % 60);
    match seconds {
        0 => format!("{hours:02}:{minutes:02}"),
        _ => format!("{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// Splits off `AM` or `PM`, and returns true for `PM`; `None` if neither follows.
fn twelve_hour_clock(text: &str) -> Option<(&str, bool)> {
    let (clock, half) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let is_afternoon = half.eq_ignore_ascii_case("PM");
    (is_afternoon || half.eq_ignore_ascii_case("AM")).then(|| (clock.trim_end(), is_afternoon))
}

/// Parses `H:MM`, `HH:MM` or `HH:MM:SS` up to 24:00 into seconds.
fn clock_time_s(text: &str) -> Option<u32> {
    let mut parts = text.as_bytes().split(|byte| *byte == b':');
    let (hour, minute) = (parts.next()?, parts.next()?);
    let second = parts.next().unwrap_or(b"00");
    if parts.next().is_some()
        || !(1..=2).contains(&hour.len())
        || minute.len() != 2
        || second.len() != 2
    {
        return None;
    }
    let (hour, minute, second) = (number(hour)?, number(minute)?, number(second)?);
    let time_s = hour * 3600 + minute * 60 + second;
    (minute < 60 && second < 60 && time_s <= DAY_S).then_some(time_s)
}
