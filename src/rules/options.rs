//! Options of a report, except for its *now*.

use super::business_hours::{DailyHours, WeeklyHours};
use super::zone::ZoneName;

/// State between two polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// Status of the earlier poll.
    #[default]
    Previous,
    /// Status of the nearer poll.
    Nearest,
    /// Status of the later poll.
    Next,
}

/// Time across which a poll may be carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Without limit.
    #[default]
    All,
    /// Local calendar day.
    Day,
    /// Opening, after overlapping and adjacent ones are united.
    Interval,
}

/// State that unknown time counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NoData {
    #[default]
    Unknown,
    Down,
    Up,
}

/// Hours of a store without business hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DefaultHours {
    #[default]
    Always,
    /// Never open: none of its time counts.
    Closed,
    /// In the store's zone.
    Daily(DailyHours),
}

impl DefaultHours {
    /// The equivalent weekly hours.
    pub fn week(self) -> WeeklyHours {
        match self {
            DefaultHours::Always => WeeklyHours::Always,
            DefaultHours::Closed => WeeklyHours::Rows(Vec::new()),
            DefaultHours::Daily(daily) => WeeklyHours::Rows(daily.rows()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    pub interpolation: Interpolation,
    /// Longest time, before and after itself, that a poll covers; microseconds, positive.
    pub max_gap_us: Option<i64>,
    pub scope: Scope,
    pub no_data: NoData,
    /// Reads ends from 23:59:00 on as 24:00.
    pub snap_end_of_day: bool,
    /// Hours of stores without business hours.
    pub default_hours: DefaultHours,
    /// Zone of stores without one.
    pub default_time_zone: ZoneName,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            interpolation: Interpolation::default(),
            max_gap_us: None,
            scope: Scope::default(),
            no_data: NoData::default(),
            snap_end_of_day: false,
            default_hours: DefaultHours::default(),
            default_time_zone: ZoneName::CHICAGO,
        }
    }
}
