//! Evaluates one store over any range: reads its polls and hours and applies the rules.
//!
//! Reads only the pages that contain the store. Knows nothing about the client that asks.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int8Type, Int32Type, TimestampMicrosecondType};

use super::{first_day_to_read, polled_days};
use crate::error::{Error, Result};
use crate::rules::calendar::day_of;
use crate::rules::explain::{Segment, explained_segments};
use crate::rules::incident::{Incident, incidents};
use crate::rules::opening::{local_days, open_spans, openings};
use crate::rules::tally::{Tally, tally};
use crate::rules::timeline::{
    PollSegment, poll_segments, poll_segments_within, steps, steps_within,
};
use crate::rules::{
    HoursRow, LocalClock, Options, Poll, Scope, Span, Spans, Step, WeeklyHours, Zone, ZoneRules,
};
use crate::tables::{Dataset, Table, TableFile, read_stores};

/// Polls, hours and options of one store over a range.
///
/// The end of the range is the *now* of the query; later polls are ignored.
pub struct StoreHistory {
    pub range: Span,
    pub options: Options,
    pub week: WeeklyHours,
    /// True if the data has no hours for the store, so the default applies.
    pub hours_are_default: bool,
    pub zone: Zone,
    /// True if the data has no time zone for the store, so the default applies.
    pub zone_is_default: bool,
    pub open: Spans,
    polls: Vec<Poll>,
    clock: LocalClock,
}

impl StoreHistory {
    /// Reads the history of a store by its number. Blocks on file reads.
    pub fn read(dataset: &Dataset, store_no: i32, range: Span, options: Options) -> Result<Self> {
        let given_week = week(&store_rows(dataset, Table::BusinessHours, store_no)?)?;
        let rules = dataset.zone_rules()?;
        let given_zone = zone(&store_rows(dataset, Table::TimeZones, store_no)?, &rules)?;
        let (hours_are_default, zone_is_default) = (given_week.is_none(), given_zone.is_none());
        let week = given_week.unwrap_or_else(|| options.default_hours.week());
        let zone = match given_zone {
            Some(zone) => zone,
            None => default_zone(&rules, &options)?,
        };
        let clock = LocalClock::over(&zone, range);
        let open = open_spans(&week, &clock, range, options.snap_end_of_day);
        Ok(Self {
            range,
            options,
            week,
            hours_are_default,
            zone,
            zone_is_default,
            open,
            polls: polls(dataset, store_no, range)?,
            clock,
        })
    }

    /// Timeline over the range, as segments with their state; adjacent, and clipped to the range.
    pub fn timeline(&self) -> Vec<(Span, Option<bool>)> {
        let steps = self.steps();
        let of_step = |(at, step): (usize, &Step)| {
            let ends_at = steps.get(at + 1).map_or(i64::MAX, |next| next.starts_at);
            Some((Span::new(step.starts_at, ends_at)?.within(self.range)?, step.active))
        };
        match steps.is_empty() {
            true => vec![(self.range, None)],
            false => steps.iter().enumerate().filter_map(of_step).collect(),
        }
    }

    /// Time in each state within the openings; unknown time is counted as `no_data` says.
    pub fn tally(&self) -> Tally {
        let tally = tally(&self.steps(), self.open.iter().copied(), self.range);
        tally.counted(self.options.no_data)
    }

    pub fn incidents(&self) -> Vec<Incident> {
        incidents(&self.steps(), &self.open, self.range)
    }

    /// Segments of the range with the cause of each one's state.
    pub fn segments(&self) -> Vec<Segment> {
        let snap = self.options.snap_end_of_day;
        let openings = openings(&self.week, &self.clock, self.range, snap);
        explained_segments(self.range, &self.poll_segments(), &openings, &self.open, &self.clock)
    }

    fn steps(&self) -> Vec<Step> {
        let Options { interpolation, max_gap_us, .. } = self.options;
        match self.filled_spans() {
            None => steps(&self.polls, interpolation, max_gap_us),
            Some(filled_spans) => {
                steps_within(&self.polls, &filled_spans, interpolation, max_gap_us)
            }
        }
    }

    fn poll_segments(&self) -> Vec<PollSegment> {
        let Options { interpolation, max_gap_us, .. } = self.options;
        match self.filled_spans() {
            None => poll_segments(&self.polls, interpolation, max_gap_us),
            Some(filled_spans) => {
                poll_segments_within(&self.polls, &filled_spans, interpolation, max_gap_us)
            }
        }
    }

    /// Spans that are filled separately; `None` if the whole range is filled as one.
    fn filled_spans(&self) -> Option<Vec<Span>> {
        match self.options.scope {
            Scope::All => None,
            Scope::Day => Some(local_days(&self.clock, self.range)),
            Scope::Interval => Some(self.open.to_vec()),
        }
    }
}

fn store_rows(dataset: &Dataset, table: Table, store_no: i32) -> Result<RecordBatch> {
    let columns: Vec<_> = (0..table.file_schema().fields().len()).collect();
    read_store(table, &dataset.files(table).iter().collect::<Vec<_>>(), &columns, store_no)
}

/// Rows of the store in the order of the files.
fn read_store(
    table: Table,
    files: &[&TableFile],
    columns: &[usize],
    store_no: i32,
) -> Result<RecordBatch> {
    // With fewer files, starting a thread takes longer than reading them.
    const FILES_OF_THREAD_MIN: usize = 32;
    let read = |files: &[&TableFile]| -> Result<Vec<RecordBatch>> {
        let each = files.iter().map(|file| read_stores(&file.path, columns, &[store_no]));
        Ok(each.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    };
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = (files.len() / FILES_OF_THREAD_MIN).clamp(1, cores);
    let (first, others) = files.split_at(files.len().div_ceil(threads));
    let found = std::thread::scope(|scope| {
        let others = others.chunks(first.len().max(1));
        let others: Vec<_> = others.map(|files| scope.spawn(move || read(files))).collect();
        let mut found = read(first)?;
        for other in others {
            found.extend(
                other.join().map_err(|_| Error::bug("a thread that reads a store panicked"))??,
            );
        }
        Ok::<_, Error>(found)
    })?;
    let schema = table.file_schema();
    let schema = match found.first() {
        Some(batch) => batch.schema(),
        None => Arc::new(schema.project(columns)?),
    };
    Ok(concat_batches(&schema, &found)?)
}

/// Polls of the range and the last poll before it, the same ones that a report of the range reads.
fn polls(dataset: &Dataset, store_no: i32, range: Span) -> Result<Vec<Poll>> {
    let first_day = first_day_to_read(polled_days(dataset), day_of(range.starts_at()));
    let last_day = day_of(range.ends_at());
    let rows_of_days = |table: Table, last_day: i64| {
        let days = first_day..=last_day;
        let is_asked = |file: &&TableFile| file.day.is_some_and(|day| days.contains(&day));
        let files: Vec<_> = dataset.files(table).iter().filter(is_asked).collect();
        let schema = table.file_schema();
        let columns = [schema.index_of("polled_at")?, schema.index_of("active")?];
        read_store(table, &files, &columns, store_no)
    };
    let carried = rows_of_days(Table::Carried, first_day)?;
    let asked = rows_of_days(Table::Polls, last_day)?;
    let mut polls = Vec::with_capacity(carried.num_rows() + asked.num_rows());
    for batch in [carried, asked] {
        let instants = column(&batch, "polled_at")?.as_primitive::<TimestampMicrosecondType>();
        let statuses = column(&batch, "active")?.as_boolean();
        let rows = (0..batch.num_rows()).map(|row| (instants.value(row), statuses.value(row)));
        polls.extend(rows.map(|(polled_at, active)| Poll::new(polled_at, active)));
    }
    polls.retain(|poll| poll.polled_at() <= range.ends_at());
    Ok(polls)
}

/// Business hours in the rows of one store; `None` without rows.
pub(super) fn week(rows: &RecordBatch) -> Result<Option<WeeklyHours>> {
    if rows.num_rows() == 0 {
        return Ok(None);
    }
    let days = column(rows, "day_of_week")?.as_primitive::<Int8Type>();
    let starts = column(rows, "start_local_s")?.as_primitive::<Int32Type>();
    let ends = column(rows, "end_local_s")?.as_primitive::<Int32Type>();
    let opening = |row| HoursRow::from_columns(days.value(row), starts.value(row), ends.value(row));
    Ok(Some(WeeklyHours::Rows((0..rows.num_rows()).filter_map(opening).collect())))
}

pub(super) fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    let found = rows.column_by_name(name);
    found.ok_or_else(|| Error::bug(format!("the tables have no column {name:?}")))
}

/// Time zone in the rows of one store, the last one if there are several; `None` without rows.
pub(super) fn zone(rows: &RecordBatch, rules: &ZoneRules) -> Result<Option<Zone>> {
    let Some(last) = rows.num_rows().checked_sub(1) else { return Ok(None) };
    let name = column(rows, "time_zone")?.as_string::<i32>().value(last);
    let zone = rules.zone(name);
    zone.map(Some).ok_or_else(|| Error::bug(format!("the tables hold the time zone {name:?}")))
}

/// Time zone for stores without one.
///
/// # Errors
/// [`Error::Argument`] if the zone rules do not contain it.
pub(super) fn default_zone(rules: &ZoneRules, options: &Options) -> Result<Zone> {
    let name = options.default_time_zone;
    rules.zone(name.as_str()).ok_or_else(|| {
        Error::Argument(format!(
            "the zone rules {} of the data know no time zone {name}; choose another default",
            rules.edition()
        ))
    })
}
