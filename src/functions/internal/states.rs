//! `states_in`: segments of a store's range with one state and origin each.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Field, Fields, IntervalMonthDayNanoType};
use datafusion::common::resources_err;
use datafusion::error::Result;

use super::rows::{instants, lists};
use crate::functions::arguments::{Ranges, gap_us, interpolation, no_data, text};
use crate::functions::encoding::lists::{ListColumn, instant_type, list_of};
use crate::limits::CancellationFlag;
use crate::rules::Interpolation;
use crate::rules::state::{Origin, StateSegment, state_segments};
use crate::rules::timeline::{poll_segments, poll_segments_within};

/// Largest number of segments of a batch, all of which are in memory at once.
const SEGMENTS_MAX: usize = 8_000_000;

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("starts_at", instant_type(), false),
        Field::new("ends_at", instant_type(), false),
        Field::new("state", DataType::Utf8, false),
        Field::new("origin", DataType::Utf8, true),
    ])
}

pub fn list_type() -> DataType {
    list_of(fields())
}

pub fn states_in(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let [polls, filled, spans] = [0, 1, 2].map(|at| ListColumn::new(&columns[at]));
    let ranges = Ranges::new(&columns[3], &columns[4]);
    let (mut lengths, mut all) = (Vec::with_capacity(rows), Vec::new());
    let cancellation = CancellationFlag::current();
    for row in 0..rows {
        cancellation.check()?;
        let before = all.len();
        if let (Some(range), Some(open)) = (ranges.range(row)?.flatten(), spans.spans(row)) {
            let how = text(&columns[5], row).map_or(Ok(Interpolation::default()), interpolation)?;
            let gap = gap_of(&columns[6], row)?;
            let polls = polls.polls(row).unwrap_or_default();
            let poll_segments = match filled.spans(row) {
                None => poll_segments(&polls, how, gap),
                Some(filled) => poll_segments_within(&polls, &filled.collect::<Vec<_>>(), how, gap),
            };
            let no_data = no_data(&columns[7], row)?;
            let segments = state_segments(range, &poll_segments, &open.collect::<Vec<_>>());
            all.extend(
                segments.into_iter().map(|segment| StateSegment {
                    state: segment.state.counted(no_data),
                    ..segment
                }),
            );
        }
        lengths.push(all.len() - before);
        if all.len() > SEGMENTS_MAX {
            return resources_err!(
                "states would return more than {SEGMENTS_MAX} segments for a few thousand stores; \
                 use a shorter range"
            );
        }
    }
    let columns: Vec<ArrayRef> = vec![
        instants(all.iter().map(|segment: &StateSegment| segment.span.starts_at()).collect()),
        instants(all.iter().map(|segment| segment.span.ends_at()).collect()),
        Arc::new(all.iter().map(|segment| Some(segment.state.name())).collect::<StringArray>()),
        Arc::new(
            all.iter().map(|segment| segment.origin.map(origin_name)).collect::<StringArray>(),
        ),
    ];
    lists(fields(), lengths, columns)
}

fn gap_of(gaps: &ArrayRef, row: usize) -> Result<Option<i64>> {
    let gaps = gaps.as_primitive::<IntervalMonthDayNanoType>();
    gaps.is_valid(row).then(|| gap_us(gaps.value(row))).transpose()
}

fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Observed => "observed",
        Origin::Carried => "carried",
        Origin::Backfilled => "backfilled",
    }
}
