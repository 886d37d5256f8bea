//! `times_by`: figures of a store by buckets of local time.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::Result;

use super::super::open_spans::Clocks;
use super::incidents::totals;
use super::rows::{instants, lists, local_type};
use crate::error::query_err;
use crate::functions::arguments::{Ranges, no_data, text};
use crate::functions::encoding::lists::{ListColumn, instant_type, list_of};
use crate::limits::CancellationFlag;
use crate::rules::incident::incidents;
use crate::rules::tally::{Tally, tally};
use crate::rules::{Bucket, NoData, Poll, Span, Step, ZoneRules};

/// Largest number of buckets of a batch, all of which are in memory at once.
const BUCKETS_MAX: usize = 8_000_000;

fn fields() -> Fields {
    let mut fields = vec![
        Field::new("bucket", local_type(), false),
        Field::new("starts_at", instant_type(), false),
        Field::new("ends_at", instant_type(), false),
    ];
    let totals = ["up", "down", "unknown", "polls", "incidents"];
    fields.extend(totals.map(|name| Field::new(name, DataType::Int64, false)));
    fields.push(Field::new("longest", DataType::Int64, true));
    fields.push(Field::new("offset", DataType::Int64, false));
    fields.into()
}

pub fn list_type() -> DataType {
    list_of(fields())
}

pub fn times_by(zones: &ZoneRules, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let [timelines, polls, spans] = [2, 3, 4].map(|at| ListColumn::new(&columns[at]));
    let ranges = Ranges::new(&columns[5], &columns[6]);
    let (mut lengths, mut all) = (Vec::with_capacity(rows), BucketColumns::default());
    let (mut calendars, cancellation) = (BucketCache::new(zones), CancellationFlag::current());
    let (mut steps, mut open) = (Vec::new(), Vec::new());
    for row in 0..rows {
        cancellation.check()?;
        let (bucket, zone) = (text(&columns[0], row), text(&columns[1], row));
        let (Some(bucket), Some(zone)) = (bucket, zone) else {
            lengths.push(0);
            continue;
        };
        let (Some(range), Some(spans)) = (ranges.range(row)?.flatten(), spans.spans(row)) else {
            lengths.push(0);
            continue;
        };
        let no_data = no_data(&columns[7], row)?;
        open.clear();
        open.extend(spans);
        timelines.read_steps(row, range.starts_at(), &mut steps);
        let polls = polls.polls(row).unwrap_or_default();
        let buckets = calendars.cut(bucket, zone, range)?;
        lengths.push(buckets.len());
        if all.starts.len() + buckets.len() > BUCKETS_MAX {
            return query_err!(
                "uptime_by would return more than {BUCKETS_MAX} buckets for a few thousand stores; \
                 use a shorter range or longer buckets"
            );
        }
        for bucket in buckets {
            cancellation.check()?;
            all.push(bucket, (&steps, &open, &polls), no_data);
        }
    }
    all.lists(lengths)
}

/// Cache of the buckets of each zone in a batch.
struct BucketCache {
    clocks: Clocks,
    cut: HashMap<(String, Span), Vec<LocalBucket>>,
}

/// Bucket, clipped to the range.
struct LocalBucket {
    /// Local time at which the unclipped bucket starts.
    local: i64,
    span: Span,
    /// Local time minus UTC at the start of the span, microseconds.
    offset_us: i64,
}

impl BucketCache {
    fn new(zones: &ZoneRules) -> Self {
        Self { clocks: Clocks::new(zones), cut: HashMap::new() }
    }

    fn cut(&mut self, bucket: &str, zone: &str, range: Span) -> Result<&[LocalBucket]> {
        let key = (zone.to_owned(), range);
        if !self.cut.contains_key(&key) {
            let bucket = match Bucket::parse(bucket) {
                Ok(bucket) => bucket,
                Err(wrong) => return query_err!("bucket: {wrong}"),
            };
            let clock = self.clocks.over(zone, range)?;
            let offset_us = |at: i64| clock.local_at(at) - at;
            let buckets = bucket.cut(clock, range).into_iter();
            let buckets = buckets.map(|(local, span)| LocalBucket {
                local,
                span,
                offset_us: offset_us(span.starts_at()),
            });
            self.cut.insert(key.clone(), buckets.collect());
        }
        Ok(self.cut.get(&key).map_or(&[], Vec::as_slice))
    }
}

/// Columns of buckets and their figures.
#[derive(Default)]
struct BucketColumns {
    locals: Vec<i64>,
    offsets: Vec<i64>,
    starts: Vec<i64>,
    ends: Vec<i64>,
    totals: [Vec<i64>; 5],
    /// `None` without incidents.
    longest: Vec<Option<i64>>,
}

impl BucketColumns {
    fn push(
        &mut self,
        bucket: &LocalBucket,
        history: (&[Step], &[Span], &[Poll]),
        no_data: NoData,
    ) {
        let span = bucket.span;
        let (steps, open, polls) = relevant_history(history, span);
        let tally = tally(steps, open.iter().copied(), span).counted(no_data);
        let Tally { up_us, down_us, unknown_us } = tally;
        let (incidents, longest_us) = totals(&incidents(steps, open, span));
        let totals = [up_us, down_us, unknown_us, polls.len() as i64, incidents];
        self.longest.push(longest_us);
        self.locals.push(bucket.local);
        self.offsets.push(bucket.offset_us);
        self.starts.push(span.starts_at());
        self.ends.push(span.ends_at());
        self.totals.iter_mut().zip(totals).for_each(|(column, total)| column.push(total));
    }

    fn lists(self, lengths: Vec<usize>) -> Result<ArrayRef> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(TimestampMicrosecondArray::from(self.locals)),
            instants(self.starts),
            instants(self.ends),
        ];
        columns.extend(self.totals.map(|total| -> ArrayRef { Arc::new(Int64Array::from(total)) }));
        columns.push(Arc::new(Int64Array::from(self.longest)));
        columns.push(Arc::new(Int64Array::from(self.offsets)));
        lists(fields(), lengths, columns)
    }
}

/// Part of a history that determines a span: steps from the one in effect at its start to the one
/// after its end, overlapping openings, and the polls within it.
fn relevant_history<'a>(
    (steps, open, polls): (&'a [Step], &'a [Span], &'a [Poll]),
    span: Span,
) -> (&'a [Step], &'a [Span], &'a [Poll]) {
    let first = steps.partition_point(|step| step.starts_at <= span.starts_at());
    let after = steps.partition_point(|step| step.starts_at < span.ends_at());
    let steps = &steps[first.saturating_sub(1)..(after + 1).min(steps.len())];
    let first = open.partition_point(|open| open.ends_at() <= span.starts_at());
    let after = open.partition_point(|open| open.starts_at() < span.ends_at());
    let open = &open[first..after];
    let first = polls.partition_point(|poll| poll.polled_at() < span.starts_at());
    let after = polls.partition_point(|poll| poll.polled_at() < span.ends_at());
    (steps, open, &polls[first..after])
}
