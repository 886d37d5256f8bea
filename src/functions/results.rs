//! Result types of functions, as their descriptions declare them.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::error::Result;

use super::durations::duration_type;
use super::encoding::heartbeats::heartbeats_type;
use super::encoding::lists::{instant_type, poll_list_type, spans_type, timeline_type, week_type};
use super::periods::{segments_type, values_type};
use super::time_in_state::times_type;
use crate::error::broken;

/// Kind of value that a function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    Boolean,
    /// A count, or microseconds.
    Number,
    Text,
    /// Timestamp in UTC.
    Instant,
    /// Timestamp without a zone.
    LocalTime,
    Duration,
    Timeline,
    Heartbeats,
    Spans,
    /// List of a state with its bounds.
    Segments,
    /// List of a state with its duration.
    StateDurations,
    PollList,
    Week,
    /// Struct of the time in each state.
    Times,
    /// Instant, local time or date, as the argument is.
    TimeOfArgument,
    /// Timeline or heartbeats, as the argument is.
    TimelineOfArgument,
    /// Rows of a table function.
    Rows,
}

impl Gives {
    /// Type of the values.
    ///
    /// # Errors
    /// If it depends on the arguments, or if the function returns rows.
    pub fn data_type(self) -> Result<DataType> {
        Ok(match self {
            Self::Boolean => DataType::Boolean,
            Self::Number => DataType::Int64,
            Self::Text => DataType::Utf8,
            Self::Instant => instant_type(),
            Self::LocalTime => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Duration => duration_type(),
            Self::Timeline => timeline_type(),
            Self::Heartbeats => heartbeats_type(),
            Self::Spans => spans_type(),
            Self::Segments => segments_type(),
            Self::StateDurations => values_type(),
            Self::PollList => poll_list_type(),
            Self::Week => week_type(),
            Self::Times => times_type(),
            Self::TimeOfArgument | Self::TimelineOfArgument | Self::Rows => {
                return Err(broken(format!("{self:?} has no type of its own")));
            }
        })
    }
}
