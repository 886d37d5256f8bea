//! Weekly business hours of a store, in local time.

use std::fmt;

use super::calendar::DAY_S;
use super::time_of_day::{parse_time_of_day, time_of_day_text};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weekday(u8);

impl Weekday {
    /// 0 is Monday, 6 is Sunday; `None` for any other number.
    pub fn from_monday_zero(day: u8) -> Option<Self> {
        (day < 7).then_some(Self(day))
    }

    pub fn to_monday_zero(self) -> u8 {
        self.0
    }
}

/// Row of business hours: the store opens on `weekday` at `start_s`, seconds after local midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoursRow {
    weekday: Weekday,
    start_s: u32,
    end_s: u32,
}

impl HoursRow {
    /// `None` if the start is not within the day, or if the end is after 24:00.
    pub fn new(weekday: Weekday, start_s: u32, end_s: u32) -> Option<Self> {
        (start_s < DAY_S && end_s <= DAY_S).then_some(Self { weekday, start_s, end_s })
    }

    /// Row from the columns of a table; 0 is Monday. `None` under the conditions of [`Self::new`],
    /// or if there is no such weekday.
    pub fn from_columns(day_of_week: i8, start_s: i32, end_s: i32) -> Option<Self> {
        let weekday = Weekday::from_monday_zero(day_of_week.try_into().ok()?)?;
        Self::new(weekday, start_s.try_into().ok()?, end_s.try_into().ok()?)
    }

    pub fn weekday(self) -> Weekday {
        self.weekday
    }

    pub fn start_s(self) -> u32 {
        self.start_s
    }

    /// End as given; at or before the start it means the next day.
    pub fn end_s(self) -> u32 {
        self.end_s
    }

    /// Seconds from the midnight of the opening day to the end; past 24:00 if the end is at or
    /// before the start. `snap_end_of_day` reads ends from 23:59:00 on as 24:00.
    pub fn end_from_midnight_s(self, snap_end_of_day: bool) -> u32 {
        const SNAPS_FROM_S: u32 = DAY_S - 60;
        let end_s = if snap_end_of_day && self.end_s >= SNAPS_FROM_S { DAY_S } else { self.end_s };
        if end_s <= self.start_s { end_s + DAY_S } else { end_s }
    }
}

/// Business hours of one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WeeklyHours {
    Always,
    Rows(Vec<HoursRow>),
}

/// Same hours on each day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DailyHours(HoursRow);

impl DailyHours {
    /// Seconds after midnight; `None` under the conditions of [`HoursRow::new`].
    pub fn new(start_s: u32, end_s: u32) -> Option<Self> {
        HoursRow::new(Weekday(0), start_s, end_s).map(Self)
    }

    /// Parses hours such as `09:00-17:00`; `None` if either time is invalid.
    pub fn parse(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        Self::new(parse_time_of_day(start)?, parse_time_of_day(end)?)
    }

    pub fn start_s(self) -> u32 {
        self.0.start_s
    }

    /// End as given; at or before the start it means the next day.
    pub fn end_s(self) -> u32 {
        self.0.end_s
    }

    /// Seven rows, from Monday on.
    pub fn rows(self) -> Vec<HoursRow> {
        (0..7).map(|day| HoursRow { weekday: Weekday(day), ..self.0 }).collect()
    }
}

/// Writes hours so that [`DailyHours::parse`] reads them back.
impl fmt::Display for DailyHours {
    fn fmt(&self, text: &mut fmt::Formatter) -> fmt::Result {
        let (start, end) = (time_of_day_text(self.start_s()), time_of_day_text(self.end_s()));
        write!(text, "{start}-{end}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(start_s: u32, end_s: u32, snap: bool, expected_s: u32) {
        let opening = HoursRow::new(Weekday(0), start_s, end_s).unwrap();
        assert_eq!(opening.end_from_midnight_s(snap), expected_s);
    }

    #[test]
    fn an_end_at_or_before_the_start_is_on_the_next_day() {
        check(18 * 3600, 2 * 3600, false, 26 * 3600);
        check(0, 0, false, DAY_S);
        check(9 * 3600, DAY_S, false, DAY_S);
        check(9 * 3600, 9 * 3600, false, 33 * 3600);
    }

    #[test]
    fn an_end_from_23_59_on_snaps_only_when_asked() {
        check(0, DAY_S - 1, false, DAY_S - 1);
        check(0, DAY_S - 1, true, DAY_S);
        check(0, DAY_S - 60, true, DAY_S);
        check(0, DAY_S - 61, true, DAY_S - 61);
        // 23:59:30 to 23:59:00 would last a day less half a minute; snapped, it ends at midnight.
        check(DAY_S - 30, DAY_S - 60, true, DAY_S);
    }

    #[test]
    fn daily_hours_are_a_row_on_each_day() {
        let night = DailyHours::new(18 * 3600, 2 * 3600).unwrap();
        let days: Vec<_> = (0..7).filter_map(Weekday::from_monday_zero).collect();
        assert_eq!(night.rows().iter().map(|row| row.weekday()).collect::<Vec<_>>(), days);
        assert!(night.rows().iter().all(|row| row.end_from_midnight_s(false) == 26 * 3600));
    }

    #[test]
    fn invalid_rows_cannot_be_built() {
        assert_eq!(Weekday::from_monday_zero(7), None);
        assert_eq!(HoursRow::new(Weekday(0), DAY_S, DAY_S), None);
        assert_eq!(HoursRow::new(Weekday(0), 0, DAY_S + 1), None);
        assert_eq!(DailyHours::new(DAY_S, DAY_S), None);
    }
}
