//! CSV answers about one store: the lists of the JSON, with the store's id in each row.
//!
//! Durations are microseconds, instants by the clock of the answer, percentages with two decimals.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};

use super::clock::Clock;
use super::store_values::percent;
use crate::engine::single_store::StoreHistory;
use crate::error::Result;
use crate::report::{Format, render};
use crate::rules::Span;
use crate::rules::state::state_name;

/// Columns in order, as in the API document.
pub const UPTIME: [&str; 9] = [
    "store_id",
    "from",
    "to",
    "uptime_us",
    "downtime_us",
    "unknown_us",
    "scheduled_us",
    "uptime_pct",
    "coverage_pct",
];
pub const TIMELINE: [&str; 4] = ["store_id", "starts_at", "ends_at", "state"];
pub const INCIDENTS: [&str; 5] = ["store_id", "starts_at", "ends_at", "downtime_us", "is_open"];
pub const HOURS: [&str; 3] = ["store_id", "starts_at", "ends_at"];

/// Single row.
pub fn uptime(store: &str, history: &StoreHistory, clock: &Clock) -> Result<Vec<u8>> {
    let tally = history.tally();
    let known_us = tally.up_us + tally.down_us;
    let (from, to) = (history.range.starts_at(), history.range.ends_at());
    let mut columns = vec![texts([store.to_owned()]), texts([clock.text(from)])];
    columns.push(texts([clock.text(to)]));
    let times_us = [tally.up_us, tally.down_us, tally.unknown_us, tally.open_us()];
    columns.extend(times_us.map(|time_us| numbers([time_us])));
    let shares = [percent(tally.up_us, known_us), percent(known_us, tally.open_us())];
    columns.extend(shares.map(|share| {
        let share: ArrayRef =
            Arc::new(StringArray::from(vec![share.map(|share| format!("{share:.2}"))]));
        share
    }));
    csv(UPTIME, columns)
}

/// Row per state.
pub fn timeline(store: &str, history: &StoreHistory, clock: &Clock) -> Result<Vec<u8>> {
    let steps = history.timeline();
    let mut columns = spans(store, steps.iter().map(|(span, _)| *span), clock);
    columns.push(texts(steps.iter().map(|(_, active)| state_name(*active).to_owned())));
    csv(TIMELINE, columns)
}

/// Row per incident.
pub fn incidents(store: &str, history: &StoreHistory, clock: &Clock) -> Result<Vec<u8>> {
    let incidents = history.incidents();
    let mut columns = spans(store, incidents.iter().map(|incident| incident.span), clock);
    columns.push(numbers(incidents.iter().map(|incident| incident.downtime_us)));
    let is_open: Vec<_> = incidents.iter().map(|incident| incident.is_open).collect();
    columns.push(Arc::new(BooleanArray::from(is_open)));
    csv(INCIDENTS, columns)
}

/// Row per span over which the store should have been open.
pub fn hours(store: &str, history: &StoreHistory, clock: &Clock) -> Result<Vec<u8>> {
    csv(HOURS, spans(store, history.open.iter().copied(), clock))
}

fn spans(store: &str, spans: impl Iterator<Item = Span> + Clone, clock: &Clock) -> Vec<ArrayRef> {
    vec![
        texts(spans.clone().map(|_| store.to_owned())),
        texts(spans.clone().map(|span| clock.text(span.starts_at()))),
        texts(spans.map(|span| clock.text(span.ends_at()))),
    ]
}

fn texts(values: impl IntoIterator<Item = String>) -> ArrayRef {
    Arc::new(values.into_iter().map(Some).collect::<StringArray>())
}

fn numbers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn csv<const COLUMNS: usize>(names: [&str; COLUMNS], columns: Vec<ArrayRef>) -> Result<Vec<u8>> {
    let named = names.into_iter().zip(columns).map(|(name, column)| (name, column, true));
    render(&RecordBatch::try_from_iter_with_nullable(named)?, Format::Csv)
}
