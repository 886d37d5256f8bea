//! One store: `/v1/stores/{id}/uptime`, `/timeline`, `/incidents` and `/hours`.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use warp::http::StatusCode;

use super::ask::{self, describe_options, set_option};
use super::catalog::Edition;
use super::problem::{Answer, Refusal};
use super::request::Request;
use super::service::{Service, json};
use crate::engine::store::StoreHistory;
use crate::ingest::instant_of_text;
use crate::rules::calendar::DAY_US;
use crate::rules::figure::percent_hundredths;
use crate::rules::{Opening, Options, Span, WeeklyHours, Window};

/// The longest range of one answer.
const RANGE_DAYS_MAX: i64 = 366;

/// A store, the range asked about, and how to read it.
pub struct StoreQuestion {
    pub store: String,
    pub edition: Arc<Edition>,
    pub range: Span,
    pub options: Options,
}

impl StoreQuestion {
    /// From the query: `from` and `to`, `as_of`, and the options that say what the numbers mean.
    /// Without `to` the range ends at the latest poll of all stores, without `from` it is a week.
    ///
    /// # Errors
    /// Where the store or a name is unknown, a value is none, or the range is empty or too long.
    pub async fn of(
        service: &Service,
        request: &Request,
        store: String,
        named: &[&str],
        days_max: i64,
    ) -> Answer<Self> {
        let (mut from, mut to, mut as_of) = (None, None, None);
        let mut options = Options::default();
        for (name, value) in request.query.each()? {
            let wrong = |wrong| Refusal::wrong(format!("{name}: {wrong}"));
            match name {
                "from" => from = Some(instant_of_text(value).map_err(wrong)?),
                "to" => to = Some(instant_of_text(value).map_err(wrong)?),
                "as_of" => as_of = Some(version(value)?),
                name if named.contains(&name) => {}
                name => {
                    if !set_option(&mut options, name, &Value::from(value)).map_err(wrong)? {
                        return Err(Refusal::wrong(format!(
                            "{name}: is not an option here; expected from, to, as_of, or an option of a report that says what the numbers mean, like max_gap"
                        )));
                    }
                }
            }
        }
        let edition = service.catalog.edition(as_of).await?;
        if !edition.has_store(&store) {
            return Err(Refusal::unknown(format!("there is no store {store:?} in the data")));
        }
        edition.knows(options.default_time_zone)?;
        let range = range(from, to, edition.latest_poll, days_max)?;
        Ok(Self { store, edition, range, options })
    }

    async fn of_path(service: &Service, request: &Request) -> Answer<Self> {
        let store = request.path.first().cloned().unwrap_or_default();
        Self::of(service, request, store, &[], RANGE_DAYS_MAX).await
    }

    /// What the answer makes of the store's history, beside what was asked.
    pub async fn answer(
        self,
        service: &Service,
        tell: impl FnOnce(StoreHistory) -> Map<String, Value> + Send + 'static,
    ) -> Answer {
        let answer = service.work.compute(move || {
            let dataset = &self.edition.dataset;
            let history = StoreHistory::read(dataset, &self.store, self.range, self.options)?;
            let mut answer = self.asked(&history);
            answer.extend(tell(history));
            Ok(Value::Object(answer))
        });
        Ok(json(StatusCode::OK, &answer.await?))
    }

    fn asked(&self, history: &StoreHistory) -> Map<String, Value> {
        let mut asked = Map::new();
        asked.insert("store_id".into(), json!(self.store));
        asked.insert("from".into(), ask::instant(self.range.starts_at()));
        asked.insert("to".into(), ask::instant(self.range.ends_at()));
        asked.insert("data_version".into(), json!(self.edition.version()));
        asked.insert("options".into(), Value::Object(describe_options(&self.options)));
        let zone_edition = self.edition.dataset.zone_edition(self.edition.version());
        asked.insert("zone_rules".into(), json!(zone_edition));
        asked.insert("time_zone".into(), json!(history.zone.name()));
        asked.insert("time_zone_is_default".into(), json!(history.zone_is_default));
        asked.insert("hours_are_default".into(), json!(history.hours_are_default));
        asked.insert("always_open".into(), json!(history.week == WeeklyHours::Always));
        asked
    }
}

fn version(text: &str) -> Answer<u64> {
    let wrong = || Refusal::wrong(format!("as_of: {text:?} is not the number of a version"));
    text.parse().map_err(|_| wrong())
}

fn range(from: Option<i64>, to: Option<i64>, latest: Option<i64>, days_max: i64) -> Answer<Span> {
    let to = to.or(latest).ok_or_else(|| {
        Refusal::wrong("to: there is no poll to look back from; expected an instant")
    })?;
    let from = from.unwrap_or(to - Window::LONGEST.length_us());
    let range = Span::new(from, to)
        .ok_or_else(|| Refusal::wrong("from: is not before to; expected an earlier instant"))?;
    if to - from > days_max * DAY_US {
        return Err(Refusal::wrong(format!(
            "from: is more than {days_max} days before to, the limit"
        )));
    }
    Ok(range)
}

/// How long the store was up, down and unknown while it should have been open.
pub async fn uptime(service: &Service, request: &Request) -> Answer {
    let question = StoreQuestion::of_path(service, request).await?;
    question.answer(service, |history| fields(figures(&history))).await
}

/// The figures of a range, as the exact report has them.
pub fn figures(history: &StoreHistory) -> Value {
    let tally = history.tally();
    let known_us = tally.up_us + tally.down_us;
    json!({
        "uptime_us": tally.up_us,
        "downtime_us": tally.down_us,
        "unknown_us": tally.unknown_us,
        "scheduled_us": tally.open_us(),
        "uptime_pct": percent(tally.up_us, known_us),
        "coverage_pct": percent(known_us, tally.open_us()),
    })
}

/// Its state at every instant, whether open or not.
pub async fn timeline(service: &Service, request: &Request) -> Answer {
    let question = StoreQuestion::of_path(service, request).await?;
    let tell = |history: StoreHistory| {
        let step = |(span, active): (Span, Option<bool>)| {
            let mut step = bounds(span);
            step["state"] = json!(state(active));
            step
        };
        let steps: Vec<_> = history.timeline().into_iter().map(step).collect();
        fields(json!({ "timeline": steps }))
    };
    question.answer(service, tell).await
}

/// When it was down, and how long of it while it should have been open.
pub async fn incidents(service: &Service, request: &Request) -> Answer {
    let question = StoreQuestion::of_path(service, request).await?;
    let tell = |history: StoreHistory| {
        let incidents = history.incidents().into_iter().map(|incident| {
            let mut told = bounds(incident.span);
            told["downtime_us"] = json!(incident.downtime_us);
            told["is_open"] = json!(incident.is_open);
            told
        });
        let incidents: Vec<_> = incidents.collect();
        fields(json!({ "incidents": incidents }))
    };
    question.answer(service, tell).await
}

/// Its week in local time, and when that means it should have been open.
pub async fn hours(service: &Service, request: &Request) -> Answer {
    let question = StoreQuestion::of_path(service, request).await?;
    let tell = |history: StoreHistory| {
        let week: Vec<_> = match &history.week {
            WeeklyHours::Always => Vec::new(),
            WeeklyHours::Rows(rows) => rows.iter().map(|row| opening(*row)).collect(),
        };
        let open: Vec<_> = history.open.iter().map(|span| bounds(*span)).collect();
        fields(json!({ "weekly_hours": week, "open": open }))
    };
    question.answer(service, tell).await
}

pub fn fields(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

pub fn bounds(span: Span) -> Value {
    json!({ "starts_at": ask::instant(span.starts_at()), "ends_at": ask::instant(span.ends_at()) })
}

pub fn state(active: Option<bool>) -> &'static str {
    match active {
        Some(true) => "up",
        Some(false) => "down",
        None => "unknown",
    }
}

/// A row of business hours, as it was loaded, or of the default ones.
pub fn opening(row: Opening) -> Value {
    json!({
        "day_of_week": row.weekday().to_monday_zero(),
        "start_time_local": clock(row.start_s()),
        "end_time_local": clock(row.end_s()),
    })
}

fn clock(time_s: u32) -> String {
    format!("{:02}:{:02}:{:02}", time_s / 3600, time_s / 60 % 60, time_s % 60)
}

/// With two decimals; null where there is nothing to take a share of.
fn percent(part_us: i64, whole_us: i64) -> Value {
    percent_hundredths(part_us, whole_us).map_or(Value::Null, |share| json!(share as f64 / 100.0))
}
