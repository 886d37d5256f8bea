//! What the numbers mean: pure functions over integer microseconds, UTC.
//!
//! Nothing here knows of files, engines, clocks or settings: every instant is an argument.

pub mod algebra;
pub mod bucket;
pub mod calendar;
pub mod explain;
pub mod figure;
pub mod heartbeat;
pub mod incident;
pub mod instant;
pub mod opening;
pub mod options;
pub mod rollup;
pub mod schedule;
pub mod span;
pub mod state;
pub mod tally;
pub mod timeline;
pub mod week;
pub mod window;
pub mod zone;

#[cfg(test)]
mod drawn;

pub use bucket::Bucket;
pub use options::{DefaultHours, Interpolation, NoData, Options, Scope};
pub use span::{Span, Spans};
pub use timeline::{Poll, Step};
pub use week::{DailyHours, Opening, Weekday, WeeklyHours};
pub use window::Window;
pub use zone::{LocalClock, Zone, ZoneName, ZoneRules};
