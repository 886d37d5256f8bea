//! The rules: definitions of all figures, as pure functions over integer microseconds UTC.
//!
//! Knows nothing of files, engines, settings or the current time; every instant is an argument.

pub mod algebra;
pub mod bucket;
pub mod business_hours;
pub mod calendar;
pub mod duration;
pub mod explain;
pub mod heartbeat;
pub mod incident;
pub mod instant;
pub mod keyword;
pub mod opening;
pub mod options;
pub mod rollup;
pub mod rounding;
pub mod schedule;
pub mod span;
pub mod spelling;
pub mod state;
pub mod tally;
pub mod time_of_day;
pub mod timeline;
pub mod window;
pub mod zone;

pub use bucket::Bucket;
pub use business_hours::{DailyHours, HoursRow, Weekday, WeeklyHours};
pub use options::{Accepts, DefaultHours, Interpolation, NoData, Options, ReportOption, Scope};
pub use span::{Span, Spans};
pub use timeline::{Poll, Step};
pub use window::Window;
pub use zone::{LocalClock, Zone, ZoneName, ZoneRules};

#[cfg(test)]
mod tests;
