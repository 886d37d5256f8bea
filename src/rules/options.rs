//! Options of a report, except for its *now*: their names, values and defaults, for every interface.
//!
//! Flags, JSON, SQL and the API document are made from [`ReportOption::ALL`].

use std::fmt;
use std::ops::Add;
use std::str::FromStr;

use super::business_hours::{DailyHours, WeeklyHours};
use super::duration::{duration_text, duration_us};
use super::keyword::{
    Keywords, TRUTHS, keyword, listed, parse_keyword, spelled_by_keywords, words,
};
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

impl Interpolation {
    pub const KEYWORDS: Keywords<Self> =
        &[("previous", Self::Previous), ("nearest", Self::Nearest), ("next", Self::Next)];
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

impl Scope {
    pub const KEYWORDS: Keywords<Self> =
        &[("all", Self::All), ("day", Self::Day), ("interval", Self::Interval)];
}

/// State that unknown time counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NoData {
    #[default]
    Unknown,
    Down,
    Up,
}

impl NoData {
    pub const KEYWORDS: Keywords<Self> =
        &[("unknown", Self::Unknown), ("down", Self::Down), ("up", Self::Up)];

    /// State that a state counts as; true for up.
    pub fn counted(self, active: Option<bool>) -> Option<bool> {
        active.or(match self {
            Self::Unknown => None,
            Self::Down => Some(false),
            Self::Up => Some(true),
        })
    }

    /// Adds the unknown time to that of the state it counts as. The times are those up, down and
    /// unknown, as numbers or as expressions for them.
    pub fn count<T: Add<Output = T>>(self, [up, down, unknown]: [T; 3], zero: T) -> [T; 3] {
        match self.counted(None) {
            Some(true) => [up + unknown, down, zero],
            Some(false) => [up, down + unknown, zero],
            None => [up, down, unknown],
        }
    }
}

spelled_by_keywords!(Interpolation, Scope, NoData);

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
    /// Keywords besides daily hours.
    pub const KEYWORDS: Keywords<Self> = &[("always", Self::Always), ("closed", Self::Closed)];

    /// The equivalent weekly hours.
    pub fn week(self) -> WeeklyHours {
        match self {
            DefaultHours::Always => WeeklyHours::Always,
            DefaultHours::Closed => WeeklyHours::Rows(Vec::new()),
            DefaultHours::Daily(daily) => WeeklyHours::Rows(daily.rows()),
        }
    }
}

/// Reads a keyword, or daily hours such as `09:00-17:00`.
impl FromStr for DefaultHours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let daily = || DailyHours::parse(text).map(Self::Daily);
        parse_keyword(Self::KEYWORDS, text).ok().or_else(daily).ok_or_else(|| {
            let known: Vec<_> = words(Self::KEYWORDS).collect();
            format!("{text:?} is not one of {}, or daily hours like 09:00-17:00", known.join(", "))
        })
    }
}

/// Writes hours so that they are read back.
impl fmt::Display for DefaultHours {
    fn fmt(&self, text: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Daily(daily) => write!(text, "{daily}"),
            named => text.write_str(keyword(Self::KEYWORDS, *named)),
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

listed! {
    /// Option of a report, apart from its value.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum ReportOption {
        Interpolation,
        MaxGap,
        Scope,
        NoData,
        SnapEndOfDay,
        DefaultHours,
        DefaultTimeZone,
    }
}

/// Texts that an option is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// A keyword of the list.
    Keywords(Vec<&'static str>),
    /// A duration such as `2h`.
    Duration,
    /// `true` or `false`.
    Boolean,
    /// A keyword of [`DefaultHours`], or daily hours.
    Hours,
    /// The name of a time zone.
    TimeZone,
}

impl ReportOption {
    /// The option of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|option| option.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Interpolation => "interpolation",
            Self::MaxGap => "max_gap",
            Self::Scope => "scope",
            Self::NoData => "no_data",
            Self::SnapEndOfDay => "snap_end_of_day",
            Self::DefaultHours => "default_hours",
            Self::DefaultTimeZone => "default_timezone",
        }
    }

    /// Meaning, for people.
    pub fn about(self) -> &'static str {
        match self {
            Self::Interpolation => "State between two polls: that of the previous, nearest or next",
            Self::MaxGap => "Time before and after a poll for which it counts, like 2h or 90m",
            Self::Scope => {
                "Polls that count: all, those of the same local day, or of the same opening"
            }
            Self::NoData => "State counted for time that no poll vouches for",
            Self::SnapEndOfDay => {
                "Treats business hours ending at 23:59:00 or later as ending at 24:00"
            }
            Self::DefaultHours => {
                "Hours of stores without any: always, closed, or daily hours like 09:00-17:00"
            }
            Self::DefaultTimeZone => "Zone of stores without one",
        }
    }

    pub fn accepts(self) -> Accepts {
        match self {
            Self::Interpolation => Accepts::Keywords(words(Interpolation::KEYWORDS).collect()),
            Self::Scope => Accepts::Keywords(words(Scope::KEYWORDS).collect()),
            Self::NoData => Accepts::Keywords(words(NoData::KEYWORDS).collect()),
            Self::MaxGap => Accepts::Duration,
            Self::SnapEndOfDay => Accepts::Boolean,
            Self::DefaultHours => Accepts::Hours,
            Self::DefaultTimeZone => Accepts::TimeZone,
        }
    }
}

impl Options {
    /// Reads the value of an option.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the text.
    pub fn set(&mut self, option: ReportOption, text: &str) -> Result<(), String> {
        match option {
            ReportOption::Interpolation => self.interpolation = text.parse()?,
            ReportOption::MaxGap => self.max_gap_us = Some(duration_us(text)?),
            ReportOption::Scope => self.scope = text.parse()?,
            ReportOption::NoData => self.no_data = text.parse()?,
            ReportOption::SnapEndOfDay => self.snap_end_of_day = parse_keyword(TRUTHS, text)?,
            ReportOption::DefaultHours => self.default_hours = text.parse()?,
            ReportOption::DefaultTimeZone => self.default_time_zone = text.parse()?,
        }
        Ok(())
    }

    /// Value of an option as [`Options::set`] reads it; `None` if the option is not set.
    pub fn text(&self, option: ReportOption) -> Option<String> {
        match option {
            ReportOption::Interpolation => Some(self.interpolation.to_string()),
            ReportOption::MaxGap => self.max_gap_us.map(duration_text),
            ReportOption::Scope => Some(self.scope.to_string()),
            ReportOption::NoData => Some(self.no_data.to_string()),
            ReportOption::SnapEndOfDay => Some(self.snap_end_of_day.to_string()),
            ReportOption::DefaultHours => Some(self.default_hours.to_string()),
            ReportOption::DefaultTimeZone => Some(self.default_time_zone.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_read_by_its_name_as_it_is_written() {
        let mut asked = Options::default();
        for (name, text) in [
            ("interpolation", "nearest"),
            ("max_gap", "1h 30m"),
            ("scope", "interval"),
            ("no_data", "down"),
            ("snap_end_of_day", "true"),
            ("default_hours", "18:00-02:00"),
            ("default_timezone", "Asia/Kolkata"),
        ] {
            let option = ReportOption::named(name).unwrap();
            let default = Options::default().text(option);
            assert_eq!(asked.text(option), default, "{name}");
            asked.set(option, text).unwrap();
            assert_eq!(asked.text(option).as_deref(), Some(text));
            assert_ne!(asked.text(option), default, "{name}");
            assert!(asked.set(option, "no such value").is_err(), "{name}");
        }
        assert_eq!(ReportOption::named("max-gap"), None);
    }

    #[test]
    fn default_hours_have_one_spelling_each_and_are_read_as_written() {
        for (text, written) in [
            ("always", "always"),
            ("closed", "closed"),
            ("9:00-17:00", "09:00-17:00"),
            ("09:00:00 - 17:00:30", "09:00-17:00:30"),
            ("18:00-02:00", "18:00-02:00"),
            ("00:00-24:00", "00:00-24:00"),
            ("00:00-00:00", "00:00-00:00"),
        ] {
            let hours: Result<DefaultHours, _> = text.parse();
            assert_eq!(hours.clone().map(|hours| hours.to_string()).as_deref(), Ok(written));
            assert_eq!(written.parse::<DefaultHours>(), hours);
        }
        for text in
            ["", "Always", "9-17", "09:00", "24:00-02:00", "09:00-24:01", "09:00-17:00-18:00"]
        {
            assert!(text.parse::<DefaultHours>().is_err(), "{text}");
        }
    }
}
