//! Batches of polls and openings, and their encoding as sortable 64-bit integers.

use std::iter::once;
use std::ops::Range;

use arrow::array::{ArrayRef, AsArray};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::datatypes::{Int8Type, Int32Type, TimestampMicrosecondType};
use arrow::util::bit_chunk_iterator::BitChunks;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;

use super::super::grouping::{Part, RowBatch};
use crate::error::query_err;
use crate::rules::timeline::PollRun;
use crate::rules::{HoursRow, Poll, Weekday};

/// Rows of an aggregate's argument columns.
pub trait ColumnBatch: RowBatch + Sized {
    /// Number of leading columns that must be non-null for the row to count.
    const REQUIRED_COLUMNS: usize;

    /// Reads the rows of a batch. Rows for which `counts` is false may contain any values.
    ///
    /// # Errors
    /// If a value of a row that counts is out of range.
    fn from_columns(values: &[ArrayRef], counts: impl Fn(usize) -> bool) -> Result<Self>;
}

/// Columns of polls; the values of rows with nulls are arbitrary.
#[derive(Debug)]
pub struct Polls {
    instants: ScalarBuffer<i64>,
    active: BooleanBuffer,
}

impl Polls {
    pub fn polls(&self, rows: Range<usize>) -> impl Iterator<Item = Poll> {
        rows.map(|row| Poll::new(self.instants[row], self.active.value(row)))
    }
}

impl ColumnBatch for Polls {
    const REQUIRED_COLUMNS: usize = 2;

    /// # Errors
    /// If an instant is more than 73,000 years away, which leaves no bit for the status.
    fn from_columns(values: &[ArrayRef], _: impl Fn(usize) -> bool) -> Result<Self> {
        const FURTHEST: i64 = 1 << 61;
        let instants = values[0].as_primitive::<TimestampMicrosecondType>();
        // One pass without branches: instants in range have neither of the two highest bits set.
        let from_furthest = |at: &i64| at.wrapping_add(FURTHEST) as u64;
        let bits = instants.values().iter().fold(0, |bits, at| bits | from_furthest(at));
        if bits >> 62 != 0 {
            let is_far = |at: &i64| from_furthest(at) >> 62 != 0;
            if let Some(at) = instants.iter().flatten().find(is_far) {
                return query_err!("a poll at {at} (microseconds UTC) is too far from today");
            }
        }
        Ok(Self {
            instants: instants.values().clone(),
            active: values[1].as_boolean().values().clone(),
        })
    }
}

impl RowBatch for Polls {
    fn pack(&self, rows: Range<usize>, into: &mut Vec<i64>) {
        into.extend(self.polls(rows).map(Poll::bits));
    }

    fn unpack(packed: &[i64]) -> Self {
        let polls = || packed.iter().map(|&bits| Poll::from_bits(bits));
        Self {
            instants: polls().map(Poll::polled_at).collect(),
            active: polls().map(Poll::active).collect(),
        }
    }

    fn size_bytes(&self) -> usize {
        self.instants.len() * size_of::<i64>() + self.active.len() / 8
    }
}

impl<'a> PollRun<'a> for Part<'a, Polls> {
    fn instants(&self) -> &'a [i64] {
        &self.batch.instants[self.rows.clone()]
    }

    fn statuses(&self) -> impl Iterator<Item = u64> {
        let (active, rows) = (&self.batch.active, &self.rows);
        let words = BitChunks::new(active.values(), active.offset() + rows.start, rows.len());
        words.iter().chain(once(words.remainder_bits()))
    }
}

/// Packed rows of business hours; zero for a row that does not count.
#[derive(Debug)]
pub struct Openings(Vec<i64>);

impl ColumnBatch for Openings {
    const REQUIRED_COLUMNS: usize = 3;

    /// # Errors
    /// If a row that counts is not a valid opening.
    fn from_columns(values: &[ArrayRef], counts: impl Fn(usize) -> bool) -> Result<Self> {
        let [days, starts, ends] = take_function_args("weekly_hours", values)?;
        let days = days.as_primitive::<Int8Type>();
        let (starts, ends) = (starts.as_primitive::<Int32Type>(), ends.as_primitive::<Int32Type>());
        let opening = |row: usize| match counts(row) {
            true => packed_opening(days.value(row), starts.value(row), ends.value(row)),
            false => Some(0),
        };
        if let Some(packed) = (0..days.len()).map(opening).collect() {
            return Ok(Self(packed));
        }
        let wrong = (0..days.len()).find(|row| opening(*row).is_none()).unwrap_or_default();
        query_err!(
            "weekly_hours: day {}, {} s to {} s is not an opening; expected a day from 0 (Monday) \
             to 6 (Sunday) and seconds of local time from 0 to 86400",
            days.value(wrong),
            starts.value(wrong),
            ends.value(wrong)
        )
    }
}

impl RowBatch for Openings {
    fn pack(&self, rows: Range<usize>, into: &mut Vec<i64>) {
        into.extend_from_slice(&self.0[rows]);
    }

    fn unpack(packed: &[i64]) -> Self {
        Self(packed.to_vec())
    }

    fn size_bytes(&self) -> usize {
        self.0.len() * size_of::<i64>()
    }
}

const TIME_BITS: u32 = 20;

/// Packs an opening; `None` if it is not valid.
fn packed_opening(day: i8, start_s: i32, end_s: i32) -> Option<i64> {
    HoursRow::from_columns(day, start_s, end_s)?;
    Some(i64::from(day) << (2 * TIME_BITS) | i64::from(start_s) << TIME_BITS | i64::from(end_s))
}

/// Unpacks an opening.
pub fn read_opening(packed: i64) -> Option<HoursRow> {
    let seconds = |bits: i64| (bits & ((1 << TIME_BITS) - 1)) as u32;
    let weekday = Weekday::from_monday_zero(u8::try_from(packed >> (2 * TIME_BITS)).ok()?)?;
    HoursRow::new(weekday, seconds(packed >> TIME_BITS), seconds(packed))
}
