//! `incidents_in` and `incident_totals_in`: the incidents of a store and their totals.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::Result;

use super::super::open_spans::Clocks;
use super::rows::{instants, lists};
use crate::functions::arguments::{Ranges, text};
use crate::functions::encoding::lists::{ListColumn, instant_type, list_of};
use crate::limits::CancellationFlag;
use crate::rules::incident::{Incident, incidents};
use crate::rules::{Span, ZoneRules};

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("starts_at", instant_type(), false),
        Field::new("ends_at", instant_type(), false),
        // Local time minus UTC, microseconds.
        Field::new("starts_offset", DataType::Int64, false),
        Field::new("ends_offset", DataType::Int64, false),
        Field::new("downtime", DataType::Int64, false),
        Field::new("is_open", DataType::Boolean, false),
    ])
}

pub fn list_type() -> DataType {
    list_of(fields())
}

pub fn incidents_in(zones: &ZoneRules, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let (mut lengths, mut all) = (Vec::with_capacity(rows), Vec::new());
    let (mut offsets, mut clocks) = ([Vec::new(), Vec::new()], Clocks::new(zones));
    each_store(columns, rows, |row, range, incidents| {
        lengths.push(incidents.len());
        let Some(range) = range.filter(|_| !incidents.is_empty()) else { return Ok(()) };
        let clock = clocks.over(text(&columns[4], row).unwrap_or_default(), range)?;
        for Incident { span, .. } in &incidents {
            offsets[0].push(clock.local_at(span.starts_at()) - span.starts_at());
            offsets[1].push(clock.local_at(span.ends_at()) - span.ends_at());
        }
        all.extend(incidents);
        Ok(())
    })?;
    let [starts_offset, ends_offset] = offsets.map(Int64Array::from);
    let starts = all.iter().map(|incident: &Incident| incident.span.starts_at()).collect();
    let ends = all.iter().map(|incident| incident.span.ends_at()).collect();
    let downtimes = all.iter().map(|incident| incident.downtime_us);
    let open = all.iter().map(|incident| Some(incident.is_open));
    let columns: Vec<ArrayRef> = vec![
        instants(starts),
        instants(ends),
        Arc::new(starts_offset),
        Arc::new(ends_offset),
        Arc::new(Int64Array::from_iter_values(downtimes)),
        Arc::new(open.collect::<BooleanArray>()),
    ];
    lists(fields(), lengths, columns)
}

fn totals_fields() -> Fields {
    let total = |name, nullable| Field::new(name, DataType::Int64, nullable);
    Fields::from(vec![total("incidents", false), total("longest", true)])
}

pub fn totals_type() -> DataType {
    DataType::Struct(totals_fields())
}

pub fn incident_totals_in(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let (mut counts, mut longest) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    each_store(columns, rows, |_, _, incidents| {
        let (count, most_us) = totals(&incidents);
        counts.push(count);
        longest.push(most_us);
        Ok(())
    })?;
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(counts)), Arc::new(Int64Array::from(longest))];
    Ok(Arc::new(StructArray::try_new(totals_fields(), columns, None)?))
}

/// Number of incidents, and the longest downtime in microseconds; `None` without incidents.
pub fn totals(incidents: &[Incident]) -> (i64, Option<i64>) {
    let longest_us = incidents.iter().map(|incident| incident.downtime_us).max();
    (incidents.len() as i64, longest_us)
}

/// Calls `take` with the range and the incidents of each row; a row with a null has neither.
fn each_store(
    columns: &[ArrayRef],
    rows: usize,
    mut take: impl FnMut(usize, Option<Span>, Vec<Incident>) -> Result<()>,
) -> Result<()> {
    let (timelines, spans) = (ListColumn::new(&columns[0]), ListColumn::new(&columns[1]));
    let ranges = Ranges::new(&columns[2], &columns[3]);
    let (mut steps, mut open) = (Vec::new(), Vec::new());
    let cancellation = CancellationFlag::current();
    for row in 0..rows {
        cancellation.check()?;
        let (Some(range), Some(spans)) = (ranges.range(row)?.flatten(), spans.spans(row)) else {
            take(row, None, Vec::new())?;
            continue;
        };
        timelines.read_steps(row, range.starts_at(), &mut steps);
        open.clear();
        open.extend(spans);
        take(row, Some(range), incidents(&steps, &open, range))?;
    }
    Ok(())
}
