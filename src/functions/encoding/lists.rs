//! Timelines, polls, spans and weekly schedules as Arrow list arrays.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, BooleanBuilder, Int8Array,
    Int32Array, ListArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Field, Fields, Int8Type, Int32Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::error::Result;
use datafusion::scalar::ScalarValue;

use crate::rules::{HoursRow, Poll, Span, Step, WeeklyHours};

/// Microseconds UTC.
pub fn instant_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Type of a list of structs, neither of which is null; fields are nullable as declared.
pub fn list_of(fields: Fields) -> DataType {
    DataType::List(item(fields))
}

pub fn item(fields: Fields) -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Struct(fields), false))
}

fn step_fields() -> Fields {
    Fields::from(vec![
        Field::new("starts_at", instant_type(), true),
        Field::new("active", DataType::Boolean, true),
    ])
}

fn poll_fields() -> Fields {
    Fields::from(vec![
        Field::new("polled_at", instant_type(), false),
        Field::new("active", DataType::Boolean, false),
    ])
}

fn span_fields() -> Fields {
    Fields::from(vec![
        Field::new("starts_at", instant_type(), true),
        Field::new("ends_at", instant_type(), true),
    ])
}

fn opening_fields() -> Fields {
    Fields::from(vec![
        Field::new("day_of_week", DataType::Int8, false),
        Field::new("start_local_s", DataType::Int32, false),
        Field::new("end_local_s", DataType::Int32, false),
    ])
}

/// `list<struct<starts_at, active>>`: `starts_at` is null in the first step, which has no start;
/// `active` is null while the state is unknown.
pub fn timeline_type() -> DataType {
    list_of(step_fields())
}

/// `list<struct<polled_at, active>>`, sorted, with one poll per instant.
pub fn poll_list_type() -> DataType {
    list_of(poll_fields())
}

/// `list<struct<starts_at, ends_at>>`, half-open and sorted; an unbounded end is null.
pub fn spans_type() -> DataType {
    list_of(span_fields())
}

/// `list<struct<day_of_week, start_local_s, end_local_s>>`.
pub fn week_type() -> DataType {
    list_of(opening_fields())
}

/// Offsets and validity of a list array under construction.
struct ListOffsets {
    lengths: Vec<usize>,
    valid: Vec<bool>,
}

impl ListOffsets {
    fn new() -> Self {
        Self { lengths: Vec::new(), valid: Vec::new() }
    }

    fn push(&mut self, length: Option<usize>) {
        self.lengths.push(length.unwrap_or(0));
        self.valid.push(length.is_some());
    }

    fn list(self, fields: Fields, columns: Vec<ArrayRef>) -> Result<ArrayRef> {
        let values = StructArray::try_new(fields.clone(), columns, None)?;
        let offsets = OffsetBuffer::from_lengths(self.lengths);
        let valid = NullBuffer::from(self.valid);
        Ok(Arc::new(ListArray::try_new(item(fields), offsets, Arc::new(values), Some(valid))?))
    }
}

/// Builder of timelines, one per row.
pub struct TimelineBuilder {
    offsets: ListOffsets,
    starts: Vec<i64>,
    active: BooleanBufferBuilder,
    known: BooleanBufferBuilder,
}

impl Default for TimelineBuilder {
    fn default() -> Self {
        Self {
            offsets: ListOffsets::new(),
            starts: Vec::new(),
            active: BooleanBufferBuilder::new(0),
            known: BooleanBufferBuilder::new(0),
        }
    }
}

impl TimelineBuilder {
    /// Appends a row; `None` appends null.
    pub fn push(&mut self, row: Option<&[Step]>) {
        self.offsets.push(row.map(<[_]>::len));
        let steps = row.unwrap_or_default();
        self.starts.extend(steps.iter().map(|step| step.starts_at));
        for step in steps {
            self.active.append(step.active == Some(true));
            self.known.append(step.active.is_some());
        }
    }

    pub fn finish(mut self) -> Result<ArrayRef> {
        let known = NullBuffer::new(self.known.finish());
        let known = (known.null_count() > 0).then_some(known);
        let active = BooleanArray::new(self.active.finish(), known);
        let columns = vec![instants(self.starts, Step::EVER), Arc::new(active) as ArrayRef];
        self.offsets.list(step_fields(), columns)
    }
}

/// Array of instants in which `open` becomes null.
fn instants(values: Vec<i64>, open: i64) -> ArrayRef {
    let bounded = values.contains(&open).then(|| values.iter().map(|at| *at != open));
    let bounded = bounded.map(|bounded| bounded.collect::<NullBuffer>());
    Arc::new(TimestampMicrosecondArray::new(values.into(), bounded).with_timezone("UTC"))
}

/// Builder of poll lists, one per row.
pub struct PollListBuilder {
    offsets: ListOffsets,
    instants: Vec<i64>,
    active: BooleanBuilder,
}

impl Default for PollListBuilder {
    fn default() -> Self {
        Self { offsets: ListOffsets::new(), instants: Vec::new(), active: BooleanBuilder::new() }
    }
}

impl PollListBuilder {
    /// Appends a row; `None` appends null.
    pub fn push(&mut self, row: Option<&[Poll]>) {
        self.offsets.push(row.map(<[_]>::len));
        for poll in row.unwrap_or_default() {
            self.instants.push(poll.polled_at());
            self.active.append_value(poll.active());
        }
    }

    pub fn finish(mut self) -> Result<ArrayRef> {
        let instants = TimestampMicrosecondArray::from(self.instants).with_timezone("UTC");
        self.offsets.list(poll_fields(), vec![Arc::new(instants), Arc::new(self.active.finish())])
    }
}

/// Builder of span lists, one per row.
pub struct SpanListBuilder {
    offsets: ListOffsets,
    starts: Vec<i64>,
    ends: Vec<i64>,
}

impl SpanListBuilder {
    pub fn with_capacity(rows: usize) -> Self {
        // Two openings on each day of a week.
        const SPANS_A_ROW: usize = 14;
        let spans = || Vec::with_capacity(rows * SPANS_A_ROW);
        Self { offsets: ListOffsets::new(), starts: spans(), ends: spans() }
    }

    /// Appends a row; `None` appends null.
    pub fn push(&mut self, row: Option<&[Span]>) {
        self.offsets.push(row.map(<[_]>::len));
        let spans = row.unwrap_or_default();
        self.starts.extend(spans.iter().map(|span| span.starts_at()));
        self.ends.extend(spans.iter().map(|span| span.ends_at()));
    }

    /// Total number of spans.
    pub fn spans(&self) -> usize {
        self.starts.len()
    }

    pub fn finish(self) -> Result<ArrayRef> {
        let columns = vec![instants(self.starts, Step::EVER), instants(self.ends, Span::FOREVER)];
        self.offsets.list(span_fields(), columns)
    }
}

/// Builder of weekly schedules, one per row.
pub struct WeekBuilder {
    offsets: ListOffsets,
    openings: Vec<HoursRow>,
}

impl Default for WeekBuilder {
    fn default() -> Self {
        Self { offsets: ListOffsets::new(), openings: Vec::new() }
    }
}

impl WeekBuilder {
    /// Appends a row; `None` appends null.
    pub fn push(&mut self, row: Option<impl Iterator<Item = HoursRow>>) {
        let (before, is_some) = (self.openings.len(), row.is_some());
        self.openings.extend(row.into_iter().flatten());
        self.offsets.push(is_some.then_some(self.openings.len() - before));
    }

    pub fn finish(self) -> Result<ArrayRef> {
        let openings = || self.openings.iter();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(
                openings().map(|row| row.weekday().to_monday_zero() as i8).collect::<Int8Array>(),
            ),
            Arc::new(openings().map(|row| row.start_s() as i32).collect::<Int32Array>()),
            Arc::new(openings().map(|row| row.end_s() as i32).collect::<Int32Array>()),
        ];
        self.offsets.list(opening_fields(), columns)
    }
}

/// Weekly schedule as an SQL value; null if the store is always open.
///
/// # Errors
/// None for valid schedules.
pub fn week_value(week: &WeeklyHours) -> Result<ScalarValue> {
    let mut weeks = WeekBuilder::default();
    weeks.push(match week {
        WeeklyHours::Always => None,
        WeeklyHours::Rows(rows) => Some(rows.iter().copied()),
    });
    Ok(ScalarValue::List(Arc::new(weeks.finish()?.as_list().clone())))
}

/// Reader of a list column, by row.
pub struct ListColumn<'a> {
    list: &'a ListArray,
    columns: &'a [ArrayRef],
    /// True if no column contains nulls.
    is_whole: bool,
    /// First instant of steps, polls or spans.
    instants: Option<&'a TimestampMicrosecondArray>,
    /// End of spans.
    ends: Option<&'a TimestampMicrosecondArray>,
    /// Status of steps or polls.
    active: Option<&'a BooleanArray>,
}

impl<'a> ListColumn<'a> {
    /// Wraps a column whose type is one of the list types above.
    pub fn new(column: &'a ArrayRef) -> Self {
        let list = column.as_list::<i32>();
        let columns = list.values().as_struct().columns();
        Self {
            list,
            columns,
            is_whole: columns.iter().all(|column| column.null_count() == 0),
            instants: columns[0].as_primitive_opt::<TimestampMicrosecondType>(),
            ends: columns[1].as_primitive_opt::<TimestampMicrosecondType>(),
            active: columns[1].as_boolean_opt(),
        }
    }

    pub fn is_null(&self, row: usize) -> bool {
        self.list.is_null(row)
    }

    /// Indices of a row's values; `None` if the list is null.
    fn range(&self, row: usize) -> Option<std::ops::Range<usize>> {
        let offsets = self.list.value_offsets();
        self.list.is_valid(row).then(|| offsets[row] as usize..offsets[row + 1] as usize)
    }

    /// Replaces `steps` with the steps of the row that are in effect at or after `from`; with
    /// nothing if the list is null.
    pub fn read_steps(&self, row: usize, from: i64, steps: &mut Vec<Step>) {
        steps.clear();
        let (Some(starts), Some(active)) = (self.instants, self.active) else { return };
        let Some(range) = self.range(row) else { return };
        let start_of = |at: usize| end_of(starts, at, Step::EVER);
        // Keeps the step in effect at `from` and all later ones.
        let (first, end) = (range.start, range.end);
        let passed = partition_point(first, end, |at| start_of(at) <= from);
        let later = passed.saturating_sub(1).max(first)..end;
        steps.extend(later.map(|at| Step { starts_at: start_of(at), active: status(active, at) }));
    }

    /// State of a row's timeline at an instant; unknown if the list is null.
    pub fn state_at(&self, row: usize, instant: i64) -> Option<bool> {
        let (starts, active, range) = (self.instants?, self.active?, self.range(row)?);
        let passed =
            partition_point(range.start, range.end, |at| end_of(starts, at, Step::EVER) <= instant);
        let last = passed.checked_sub(1).filter(|last| range.contains(last))?;
        status(active, last)
    }

    pub fn spans(&self, row: usize) -> Option<impl Iterator<Item = Span>> {
        let (starts, ends, range) = (self.instants?, self.ends?, self.range(row)?);
        Some(range.filter_map(move |at| {
            Span::new(end_of(starts, at, Step::EVER), end_of(ends, at, Span::FOREVER))
        }))
    }

    pub fn polls(&self, row: usize) -> Option<Vec<Poll>> {
        let (instants, active, range) = (self.instants?, self.active?, self.range(row)?);
        let polls = range.filter(|&at| instants.is_valid(at) && active.is_valid(at));
        Some(polls.map(|at| Poll::new(instants.value(at), active.value(at))).collect())
    }

    /// Weekly schedule of a row. Null means that no hours are known, so the store is always open.
    pub fn week(&self, row: usize) -> WeeklyHours {
        let days = self.columns[0].as_primitive::<Int8Type>();
        let starts = self.columns[1].as_primitive::<Int32Type>();
        let ends = self.columns[2].as_primitive::<Int32Type>();
        let opening = |at| HoursRow::from_columns(days.value(at), starts.value(at), ends.value(at));
        let is_whole =
            |at: &usize| self.is_whole || self.columns.iter().all(|column| column.is_valid(*at));
        match self.range(row) {
            Some(range) => {
                let mut openings = Vec::with_capacity(range.len());
                openings.extend(range.filter(is_whole).filter_map(opening));
                WeeklyHours::Rows(openings)
            }
            None => WeeklyHours::Always,
        }
    }
}

/// Instant of a row, or `open` if it is null.
fn end_of(instants: &TimestampMicrosecondArray, at: usize, open: i64) -> i64 {
    if instants.is_null(at) { open } else { instants.value(at) }
}

fn status(active: &BooleanArray, at: usize) -> Option<bool> {
    active.is_valid(at).then(|| active.value(at))
}

/// First index in `first..end` for which `passed` is false, by binary search.
fn partition_point(first: usize, end: usize, passed: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (first, end);
    while low < high {
        let middle = low + (high - low) / 2;
        if passed(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
