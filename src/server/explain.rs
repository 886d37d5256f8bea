//! `GET /v1/explain`: the poll, hours, zone rule and option behind each segment of a figure.

use serde_json::{Value, json};
use warp::http::StatusCode;

use super::clock::Clock;
use super::problem::{Answer, Refusal};
use super::request::Request;
use super::service::{Service, content};
use super::stores::{self, StoreQuery, fields, opening};
use crate::engine::single_store::StoreHistory;
use crate::rules::calendar::{DAY_US, instant_text, offset_text};
use crate::rules::duration::duration_text;
use crate::rules::explain::Segment;
use crate::rules::state::state_name;
use crate::rules::{Interpolation, Options, Poll, Scope};

/// Longest range of an answer: it has a segment for every poll.
const RANGE_DAYS_MAX: i64 = 31;

pub async fn explain(service: &Service, request: &Request) -> Answer {
    let store = request.query.one("store")?;
    let store = store.ok_or_else(|| Refusal::wrong("store: is missing; expected a store's id"))?;
    let named = ["store", "clock"];
    let query =
        StoreQuery::read(service, request, store.to_owned(), &named, RANGE_DAYS_MAX).await?;
    let tell = |mut history: StoreHistory, clock: &Clock| {
        let figures = stores::figures(&history);
        let segments = history.segments();
        let polled = Polled::read(&mut history);
        let segments =
            segments.iter().map(|segment| segment_json(segment, &history, &polled, clock));
        fields(json!({ "figures": figures, "stretches": segments.collect::<Vec<_>>() }))
    };
    let body = service.compute.run_blocking(move || query.json(tell));
    Ok(content(StatusCode::OK, "application/json", body.await?))
}

/// Polls of the store regardless of limits on vouching: they tell why a segment has no state.
struct Polled {
    /// Set if there is a poll up to the end of the range.
    ever: bool,
    /// Segments as if `max_gap` were unlimited, in order.
    without_max_gap: Vec<Segment>,
}

impl Polled {
    fn read(history: &mut StoreHistory) -> Self {
        let asked = history.options;
        history.options.max_gap_us = None;
        let without_max_gap = history.segments();
        history.options.scope = Scope::All;
        let ever = history.segments().iter().any(|segment| segment.poll.is_some());
        history.options = asked;
        Self { ever, without_max_gap }
    }

    /// Returns true if the scope that contains the segment has a poll.
    fn has_poll_in_scope(&self, segment: &Segment) -> bool {
        let at = segment.span.starts_at();
        let place = self.without_max_gap.partition_point(|other| other.span.ends_at() <= at);
        self.without_max_gap.get(place).is_some_and(|other| other.poll.is_some())
    }
}

fn segment_json(
    segment: &Segment,
    history: &StoreHistory,
    polled: &Polled,
    clock: &Clock,
) -> Value {
    let options = &history.options;
    let mut told = clock.bounds(segment.span);
    told["length_us"] = json!(segment.span.ends_at() - segment.span.starts_at());
    told["state"] = json!(state_name(segment.poll.map(Poll::active)));
    told["is_open"] = json!(segment.is_open);
    told["counts_as"] = json!(counts_as(segment, options));
    told["poll"] = segment.poll.map_or(Value::Null, |poll| {
        let status = if poll.active() { "active" } else { "inactive" };
        json!({ "polled_at": clock.text(poll.polled_at()), "status": status })
    });
    told["option"] = json!(option(segment, options, polled, clock));
    let hours = segment.opened_by.iter().map(|(row, on_day)| {
        let mut told = opening(*row);
        told["opens_on"] = json!(instant_text(on_day * DAY_US)[..10]);
        told
    });
    told["business_hours"] = hours.collect();
    told["zone_rule"] = json!({
        "time_zone": history.zone.name(),
        "is_default": history.zone_is_default,
        "utc_offset": offset_text(segment.offset_us),
    });
    told
}

/// Column of the report that the segment adds to; `None` while the store is closed.
fn counts_as(segment: &Segment, options: &Options) -> Option<&'static str> {
    let counted = match options.no_data.counted(segment.poll.map(Poll::active)) {
        Some(true) => "uptime",
        Some(false) => "downtime",
        None => "unknown",
    };
    segment.is_open.then_some(counted)
}

/// Sentence about the option that decides the segment's state.
fn option(segment: &Segment, options: &Options, polled: &Polled, clock: &Clock) -> String {
    let Some(poll) = segment.poll else { return unknown_reason(segment, options, polled) };
    let at = clock.text(poll.polled_at());
    let is_before = segment.span.ends_at() <= poll.polled_at();
    match (is_before, options.interpolation) {
        (true, Interpolation::Previous) => {
            format!(
                "no earlier poll vouches, so the status of the first one, at {at}, holds before it"
            )
        }
        (true, Interpolation::Nearest) => {
            format!("interpolation = nearest: the poll at {at} is the nearest")
        }
        (true, Interpolation::Next) => {
            format!("interpolation = next: the next poll is the one at {at}")
        }
        (false, Interpolation::Previous) => {
            format!(
                "interpolation = previous: the status of the poll at {at} holds until the next one"
            )
        }
        (false, Interpolation::Nearest) => {
            format!("interpolation = nearest: the poll at {at} is the nearest")
        }
        (false, Interpolation::Next) => {
            format!("no later poll vouches, so the status of the last one, at {at}, holds after it")
        }
    }
}

fn unknown_reason(segment: &Segment, options: &Options, polled: &Polled) -> String {
    let why = match (options.scope, options.max_gap_us) {
        _ if !polled.ever => "the store was not polled up to the end of the range".to_owned(),
        (Scope::Interval, _) if !segment.is_open => {
            "scope = interval: outside business hours, so no poll counts".to_owned()
        }
        (_, Some(gap_us)) if polled.has_poll_in_scope(segment) => {
            format!("max_gap = {}: no poll is that near", duration_text(gap_us))
        }
        (Scope::Interval, _) => {
            "scope = interval: no poll within this business interval".to_owned()
        }
        (Scope::Day, _) => "scope = day: no poll on this local day".to_owned(),
        (Scope::All, _) => "no poll vouches".to_owned(),
    };
    format!("{why}; no_data = {}", options.no_data)
}
