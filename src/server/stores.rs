//! Single stores: `/v1/stores/{id}/uptime`, `/timeline`, `/incidents` and `/hours`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::clock::{Clock, ClockChoice, instant_in};
use super::problem::{Answer, Refusal};
use super::report_request::{options_json, set_option};
use super::request::Request;
use super::response_format::ResponseFormat;
use super::service::Service;
use super::snapshots::Snapshot;
use super::store_csv;
use super::store_values::percent;
use crate::engine::single_store::StoreHistory;
use crate::error::{Error, Result};
use crate::rules::calendar::DAY_US;
use crate::rules::state::state_name;
use crate::rules::{HoursRow, Options, Span, WeeklyHours, Window, Zone, ZoneRules};

/// Longest range of an answer.
const RANGE_DAYS_MAX: i64 = 366;

/// Query about a store: its range and options.
pub struct StoreQuery {
    pub store: String,
    pub snapshot: Arc<Snapshot>,
    pub range: Span,
    pub options: Options,
    /// Zone of the clock that formats instants; `None` for UTC.
    zone: Option<Zone>,
}

/// Parameters of endpoints that answer in JSON and CSV, by a chosen clock.
const PATH_PARAMETERS: [&str; 2] = ["clock", "format"];

impl StoreQuery {
    /// Reads `from` and `to`, `as_of`, and the options of the rules. Without `to` the range ends at
    /// the latest poll of all stores; without `from` it is a week. `named` are further parameters;
    /// of these, `clock` is read here.
    ///
    /// # Errors
    /// If the store or a name is unknown, a value is malformed, or the range is empty or too long.
    pub async fn read(
        service: &Service,
        request: &Request,
        store: String,
        named: &[&str],
        days_max: i64,
    ) -> Answer<Self> {
        let (mut from, mut to, mut as_of, mut clock) = (None, None, None, ClockChoice::default());
        let mut options = Options::default();
        for (name, value) in request.query.each()? {
            let wrong = |wrong| Refusal::wrong(format!("{name}: {wrong}"));
            match name {
                "from" => from = Some(value),
                "to" => to = Some(value),
                "as_of" => as_of = Some(version(value)?),
                "clock" if named.contains(&name) => {
                    clock = ClockChoice::parse(value).map_err(wrong)?;
                }
                name if named.contains(&name) => {}
                name => {
                    if !set_option(&mut options, name, &Value::from(value)).map_err(wrong)? {
                        return Err(unknown(name, named));
                    }
                }
            }
        }
        let snapshot = service.snapshots.at(as_of).await?;
        if !snapshot.has_store(&store) {
            return Err(Refusal::unknown(format!(
                "there is no store {store:?} in the data; /v1/stores lists them"
            )));
        }
        snapshot.check_zone(options.default_time_zone)?;
        let zone = match clock {
            ClockChoice::Utc => None,
            ClockChoice::Zone(name) => Some(zone(&snapshot, name.as_str())?),
            ClockChoice::Store => {
                let stores = snapshot.stores(&service.compute).await?;
                let named = stores.store(&store).and_then(|store| store.time_zone);
                let name = named.unwrap_or(options.default_time_zone.as_str());
                Some(zone(&snapshot, name)?)
            }
        };
        let read = |name: &str, text: Option<&str>| {
            let read = text.map(|text| instant_in(zone.as_ref(), text)).transpose();
            read.map_err(|wrong| Refusal::wrong(format!("{name}: {wrong}")))
        };
        let range = range(read("from", from)?, read("to", to)?, snapshot.latest_poll, days_max)?;
        Ok(Self { store, snapshot, range, options, zone })
    }

    async fn from_path(service: &Service, request: &Request) -> Answer<Self> {
        let store = request.path.first().cloned().unwrap_or_default();
        Self::read(service, request, store, &PATH_PARAMETERS, RANGE_DAYS_MAX).await
    }

    /// Answers in the format that the client wants.
    async fn answer(service: &Service, request: &Request, forms: AnswerForms) -> Answer {
        let wanted = ResponseFormat::read(request)?;
        let query = Self::from_path(service, request).await?;
        let body = service.compute.run_blocking(move || match wanted {
            ResponseFormat::Json => query.json(|history, clock| (forms.json)(&history, clock)),
            ResponseFormat::Csv => {
                let history = query.history()?;
                (forms.csv)(&query.store, &history, &query.clock())
            }
        });
        Ok(wanted.reply(body.await?))
    }

    /// Reads the store's history. Blocks.
    fn history(&self) -> Result<StoreHistory> {
        let number = self.snapshot.store_number(&self.store);
        let number = number.ok_or_else(|| Error::bug("a store without a number"))?;
        StoreHistory::read(&self.snapshot.dataset, number, self.range, self.options)
    }

    fn clock(&self) -> Clock {
        Clock::from_zone(self.zone.as_ref())
    }

    /// Object with the query, and what `tell` makes of the history. Blocks.
    pub fn json(
        &self,
        tell: impl FnOnce(StoreHistory, &Clock) -> Map<String, Value>,
    ) -> Result<Vec<u8>> {
        let (history, clock) = (self.history()?, self.clock());
        let mut answer = self.asked(&history, &clock);
        answer.extend(tell(history, &clock));
        Ok((Value::Object(answer).to_string() + "\n").into_bytes())
    }

    fn asked(&self, history: &StoreHistory, clock: &Clock) -> Map<String, Value> {
        let mut asked = Map::new();
        asked.insert("store_id".into(), json!(self.store));
        asked.insert("from".into(), json!(clock.text(self.range.starts_at())));
        asked.insert("to".into(), json!(clock.text(self.range.ends_at())));
        asked.insert("data_version".into(), json!(self.snapshot.version()));
        asked.insert("options".into(), Value::Object(options_json(&self.options)));
        let zone_edition = self.snapshot.dataset.zone_edition(self.snapshot.version());
        asked.insert("zone_rules".into(), json!(zone_edition));
        asked.insert("time_zone".into(), json!(history.zone.name()));
        asked.insert("time_zone_is_default".into(), json!(history.zone_is_default));
        asked.insert("hours_are_default".into(), json!(history.hours_are_default));
        asked.insert("always_open".into(), json!(history.week == WeeklyHours::Always));
        asked
    }
}

/// Zone by the rules of the data, or else by the bundled ones.
fn zone(snapshot: &Snapshot, name: &str) -> Result<Zone> {
    let found = snapshot.dataset.zone_rules()?.zone(name);
    let found = found.or_else(|| ZoneRules::bundled().zone(name));
    found.ok_or_else(|| Error::bug(format!("no zone rules know the time zone {name:?}")))
}

fn unknown(name: &str, named: &[&str]) -> Refusal {
    let beside = named.iter().map(|name| format!(", {name}")).collect::<String>();
    Refusal::wrong(format!(
        "{name}: is not an option here; expected from, to, as_of{beside}, or an option of the figures, like max_gap"
    ))
}

fn version(text: &str) -> Answer<u64> {
    let wrong = || Refusal::wrong(format!("as_of: {text:?} is not the number of a version"));
    text.parse().map_err(|_| wrong())
}

fn range(from: Option<i64>, to: Option<i64>, latest: Option<i64>, days_max: i64) -> Answer<Span> {
    let to = to
        .or(latest)
        .ok_or_else(|| Refusal::wrong("to: no poll to look back from; load polls or specify to"))?;
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

/// JSON and CSV forms of an answer.
#[derive(Clone, Copy)]
struct AnswerForms {
    json: fn(&StoreHistory, &Clock) -> Map<String, Value>,
    csv: fn(&str, &StoreHistory, &Clock) -> Result<Vec<u8>>,
}

/// Time for which the store was up, down and unknown while it should have been open.
pub async fn uptime(service: &Service, request: &Request) -> Answer {
    let json = |history: &StoreHistory, _: &Clock| fields(figures(history));
    StoreQuery::answer(service, request, AnswerForms { json, csv: store_csv::uptime }).await
}

/// Figures of the range, as in an exact report.
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

/// State at every instant, whether open or not.
pub async fn timeline(service: &Service, request: &Request) -> Answer {
    let json = |history: &StoreHistory, clock: &Clock| {
        let step = |(span, active): (Span, Option<bool>)| {
            let mut step = clock.bounds(span);
            step["state"] = json!(state_name(active));
            step
        };
        let steps: Vec<_> = history.timeline().into_iter().map(step).collect();
        fields(json!({ "timeline": steps }))
    };
    StoreQuery::answer(service, request, AnswerForms { json, csv: store_csv::timeline }).await
}

/// Spans in which it was down, and their time within business hours.
pub async fn incidents(service: &Service, request: &Request) -> Answer {
    let json = |history: &StoreHistory, clock: &Clock| {
        let incidents = history.incidents().into_iter().map(|incident| {
            let mut told = clock.bounds(incident.span);
            told["downtime_us"] = json!(incident.downtime_us);
            told["is_open"] = json!(incident.is_open);
            told
        });
        let incidents: Vec<_> = incidents.collect();
        fields(json!({ "incidents": incidents }))
    };
    StoreQuery::answer(service, request, AnswerForms { json, csv: store_csv::incidents }).await
}

/// Business hours in local time, and the openings that follow.
pub async fn hours(service: &Service, request: &Request) -> Answer {
    let json = |history: &StoreHistory, clock: &Clock| {
        let week: Vec<_> = match &history.week {
            WeeklyHours::Always => Vec::new(),
            WeeklyHours::Rows(rows) => rows.iter().map(|row| opening(*row)).collect(),
        };
        let open: Vec<_> = history.open.iter().map(|span| clock.bounds(*span)).collect();
        fields(json!({ "weekly_hours": week, "open": open }))
    };
    StoreQuery::answer(service, request, AnswerForms { json, csv: store_csv::hours }).await
}

pub fn fields(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Row of business hours, as loaded or by default.
pub fn opening(row: HoursRow) -> Value {
    json!({
        "day_of_week": row.weekday().to_monday_zero(),
        "start_time_local": clock(row.start_s()),
        "end_time_local": clock(row.end_s()),
    })
}

fn clock(time_s: u32) -> String {
    format!("{:02}:{:02}:{:02}", time_s / 3600, time_s / 60 % 60, time_s % 60)
}
