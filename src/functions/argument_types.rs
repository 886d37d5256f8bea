//! Arguments of functions, and the types of values that they accept.

use arrow::datatypes::{DataType, FieldRef, Fields, IntervalUnit};

use super::encoding::heartbeats::heartbeats_type;
use super::encoding::lists::{instant_type, poll_list_type, spans_type, timeline_type, week_type};

/// Argument of a function.
#[derive(Debug)]
pub struct Argument {
    pub name: &'static str,
    pub takes: Takes,
    /// Optional arguments come last.
    pub is_optional: bool,
    pub about: &'static str,
}

impl Argument {
    pub const fn required(name: &'static str, takes: Takes, about: &'static str) -> Self {
        Self { name, takes, is_optional: false, about }
    }

    pub const fn optional(name: &'static str, takes: Takes, about: &'static str) -> Self {
        Self { name, takes, is_optional: true, about }
    }
}

/// Kind of value that an argument accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Timestamp, date, or text that parses as one; UTC without a time zone.
    Instant,
    Length,
    /// Interval without months, or an integer number of microseconds.
    OpenTime,
    Text,
    Boolean,
    /// Integer of any width whose value fits in one byte.
    SmallInteger,
    /// Integer of any width whose value fits in four bytes.
    Integer,
    /// Timeline or heartbeats; heartbeats are a timeline within their range.
    Timeline,
    Heartbeats,
    Spans,
    PollList,
    Week,
}

impl Takes {
    pub fn expected(self) -> &'static str {
        match self {
            Takes::Instant => "a timestamp, a date or a text like '2023-01-22 12:00:00', UTC",
            Takes::Length => "an interval like INTERVAL '2 hours'",
            Takes::OpenTime => "an interval like INTERVAL '2 hours', or microseconds",
            Takes::Text => "a text",
            Takes::Boolean => "true or false, like status = 'active'",
            Takes::SmallInteger | Takes::Integer => "a whole number",
            Takes::Timeline => "a timeline, as from timeline(polled_at, active)",
            Takes::Heartbeats => "heartbeats, as from heartbeat_agg(...)",
            Takes::Spans => "a list of spans, as from open_spans(...) or live_ranges(...)",
            Takes::PollList => "a list of polls, as from poll_list(polled_at, active)",
            Takes::Week => "weekly hours, as from weekly_hours(...)",
        }
    }

    /// Type to which a value of type `given` is coerced; `None` if it is not accepted.
    pub fn coerced(self, given: &DataType) -> Option<DataType> {
        use DataType::{Boolean, Date32, Date64, Duration, Interval, Null, Timestamp, Utf8View};
        let is_text = given.is_string() || is_dictionary_of_text(given);
        match self {
            _ if given == &Null => Some(self.wanted()),
            Takes::Instant if is_text || matches!(given, Timestamp(..) | Date32 | Date64) => {
                Some(self.wanted())
            }
            Takes::Length if is_text || matches!(given, Interval(_) | Duration(_)) => {
                Some(self.wanted())
            }
            Takes::OpenTime if given.is_integer() => Some(DataType::Int64),
            Takes::OpenTime => Takes::Length.coerced(given),
            Takes::Timeline | Takes::Heartbeats if matches!(given, DataType::Struct(_)) => {
                struct_taken_as(given, &heartbeats_type())
            }
            Takes::Text if given == &Utf8View => Some(Utf8View),
            Takes::Text if is_text => Some(self.wanted()),
            Takes::Boolean if given == &Boolean => Some(self.wanted()),
            Takes::SmallInteger | Takes::Integer if given.is_integer() => Some(self.wanted()),
            Takes::Timeline | Takes::Spans | Takes::PollList | Takes::Week => {
                list_taken_as(given, &self.wanted())
            }
            _ => None,
        }
    }

    fn wanted(self) -> DataType {
        match self {
            Takes::Instant => instant_type(),
            Takes::Length | Takes::OpenTime => DataType::Interval(IntervalUnit::MonthDayNano),
            Takes::Heartbeats => heartbeats_type(),
            Takes::Text => DataType::Utf8,
            Takes::Boolean => DataType::Boolean,
            Takes::SmallInteger => DataType::Int8,
            Takes::Integer => DataType::Int32,
            Takes::Timeline => timeline_type(),
            Takes::Spans => spans_type(),
            Takes::PollList => poll_list_type(),
            Takes::Week => week_type(),
        }
    }
}

fn is_dictionary_of_text(given: &DataType) -> bool {
    matches!(given, DataType::Dictionary(_, values) if values.is_string())
}

/// Type to which a list is coerced where a list of structs is wanted: lists of nulls, and lists of
/// structs with the same field names, whose fields may become nullable.
fn list_taken_as(given: &DataType, wanted: &DataType) -> Option<DataType> {
    if given == wanted {
        return Some(wanted.clone());
    }
    let item = |list: &DataType| match list {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            Some(item.data_type().clone())
        }
        _ => None,
    };
    let (given, DataType::Struct(wanted)) = (item(given)?, item(wanted)?) else { return None };
    let is_taken = match &given {
        DataType::Null => true,
        DataType::Struct(given) => {
            let is_wanted = |field: &FieldRef| wanted.find(field.name()).is_some();
            given.len() == wanted.len() && given.iter().all(is_wanted)
        }
        _ => false,
    };
    let nullable = |field: &FieldRef| field.as_ref().clone().with_nullable(true);
    let fields: Fields = wanted.iter().map(nullable).collect();
    is_taken.then(|| DataType::new_list(DataType::Struct(fields), true))
}

/// Type to which a struct is coerced where one with the same field names is wanted.
fn struct_taken_as(given: &DataType, wanted: &DataType) -> Option<DataType> {
    let (DataType::Struct(fields), DataType::Struct(known)) = (given, wanted) else { return None };
    let is_known = |field: &FieldRef| known.find(field.name()).is_some();
    (fields.len() == known.len() && fields.iter().all(is_known)).then(|| wanted.clone())
}
