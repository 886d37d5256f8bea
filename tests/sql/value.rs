//! Text form of values in scripts, the same for every connection.
//!
//! Connections convert results to a [`Value`], from Arrow by [`Value::from_arrow`]. Instants are
//! RFC 3339 in UTC with as many digits of the second as they need, times on a local clock the same
//! without `Z`, an empty text `(empty)`, a null `NULL`.

use std::fmt;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, NaiveDate};
use sqllogictest::ColumnType;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(String),
    /// Microseconds UTC.
    Instant(i64),
    /// Microseconds on a local clock.
    Local(i64),
    /// Days since 1970-01-01.
    Date(i32),
    /// Other types, as Arrow displays them: intervals, lists, structs.
    Other(String),
}

impl Value {
    pub fn from_arrow(column: &ArrayRef, row: usize) -> Self {
        if column.is_null(row) {
            return Self::Null;
        }
        let as_type = |kind: &DataType| arrow::compute::cast(&column.slice(row, 1), kind).unwrap();
        let micros = |zone: Option<&str>| {
            let kind = DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
            as_type(&kind).as_primitive::<TimestampMicrosecondType>().value(0)
        };
        match column.data_type() {
            DataType::Boolean => Self::Boolean(column.as_boolean().value(row)),
            kind if kind.is_integer() => {
                Self::Integer(as_type(&DataType::Int64).as_primitive::<Int64Type>().value(0))
            }
            kind if kind.is_floating() => {
                Self::Real(as_type(&DataType::Float64).as_primitive::<Float64Type>().value(0))
            }
            kind if kind.is_string() => {
                Self::Text(as_type(&DataType::Utf8).as_string::<i32>().value(0).to_owned())
            }
            DataType::Timestamp(_, Some(_)) => Self::Instant(micros(Some("UTC"))),
            DataType::Timestamp(_, None) => Self::Local(micros(None)),
            DataType::Date32 => Self::Date(column.as_primitive::<Date32Type>().value(row)),
            _ => Self::Other(array_value_to_string(column, row).unwrap()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let clock = |us: &i64| {
            let at = DateTime::from_timestamp_micros(*us).unwrap().naive_utc();
            at.format("%Y-%m-%dT%H:%M:%S%.f").to_string()
        };
        match self {
            Self::Null => out.write_str("NULL"),
            Self::Boolean(truth) => write!(out, "{truth}"),
            Self::Integer(number) => write!(out, "{number}"),
            Self::Real(number) => write!(out, "{number}"),
            Self::Text(text) if text.is_empty() => out.write_str("(empty)"),
            Self::Text(text) | Self::Other(text) => out.write_str(text),
            Self::Instant(us) => write!(out, "{}Z", clock(us)),
            Self::Local(us) => out.write_str(&clock(us)),
            Self::Date(day) => write!(out, "{}", NaiveDate::from_epoch_days(*day).unwrap()),
        }
    }
}

/// Column types after `query` in a script, a letter per column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    Integer,
    Real,
    Text,
    /// An instant, or a time on a local clock.
    Time,
    Date,
    Any,
}

impl Kind {
    pub fn from_arrow(kind: &DataType) -> Self {
        match kind {
            DataType::Boolean => Self::Boolean,
            kind if kind.is_integer() => Self::Integer,
            kind if kind.is_floating() => Self::Real,
            kind if kind.is_string() => Self::Text,
            DataType::Timestamp(..) => Self::Time,
            DataType::Date32 => Self::Date,
            _ => Self::Any,
        }
    }
}

const LETTERS: [(char, Kind); 7] = [
    ('B', Kind::Boolean),
    ('I', Kind::Integer),
    ('R', Kind::Real),
    ('T', Kind::Text),
    ('P', Kind::Time),
    ('D', Kind::Date),
    ('?', Kind::Any),
];

impl ColumnType for Kind {
    fn from_char(letter: char) -> Option<Self> {
        LETTERS.into_iter().find(|(known, _)| *known == letter).map(|(_, kind)| kind)
    }

    fn to_char(&self) -> char {
        LETTERS.into_iter().find(|(_, kind)| kind == self).map_or('?', |(letter, _)| letter)
    }
}

#[test]
fn a_value_is_spelled_alike_whatever_way_it_came() {
    for (value, spelled) in [
        (Value::Null, "NULL"),
        (Value::Boolean(true), "true"),
        (Value::Real(66.67), "66.67"),
        (Value::Real(100.0), "100"),
        (Value::Text(String::new()), "(empty)"),
        (Value::Instant(1_674_555_240_000_001), "2023-01-24T10:14:00.000001Z"),
        (Value::Instant(1_674_555_240_000_000), "2023-01-24T10:14:00Z"),
        (Value::Local(1_674_555_240_500_000), "2023-01-24T10:14:00.500"),
        (Value::Date(19_381), "2023-01-24"),
    ] {
        assert_eq!(value.to_string(), spelled);
    }
}
