//! What may be asked of a report beside its *now*.

use super::week::{DailyHours, WeeklyHours};
use super::zone::ZoneName;

/// What holds between two polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// The earlier poll's status, until the later poll.
    #[default]
    Previous,
    /// The status of whichever poll is nearer.
    Nearest,
    /// The later poll's status, from the earlier poll on.
    Next,
}

/// How far a poll may be carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Over all time.
    #[default]
    All,
    /// Within the store-local calendar day.
    Day,
    /// Within the united business interval.
    Interval,
}

/// What time that no poll vouches for is booked as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NoData {
    #[default]
    Unknown,
    Down,
    Up,
}

/// When a store without business hours is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DefaultHours {
    #[default]
    Always,
    /// Never: none of its time counts.
    Closed,
    /// In the store's zone.
    Daily(DailyHours),
}

impl DefaultHours {
    /// What stands for the week of such a store.
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
    /// A poll vouches only this long before and after itself; microseconds, positive.
    pub max_gap_us: Option<i64>,
    pub scope: Scope,
    pub no_data: NoData,
    /// Reads ends from 23:59:00 on as 24:00.
    pub snap_end_of_day: bool,
    /// Hours of stores without any.
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
