//! `GET /v1/stores`: every store of the data, in byte order of ids, paginated.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use serde_json::{Value, json};
use warp::http::StatusCode;
use warp::http::header::{CACHE_CONTROL, ETAG, HeaderName, HeaderValue, LINK, VARY};
use warp::reply::Response as Reply;

use super::download::is_known;
use super::problem::{Answer, Refusal};
use super::request::Request;
use super::response_format::ResponseFormat;
use super::service::Service;
use super::snapshots::Snapshot;
use crate::engine::{ListedStore, StoreList};
use crate::error::Result;
use crate::report::{Format, render};
use crate::rules::calendar::instant_text;
use crate::rules::keyword::{TRUTHS, parse_keyword};
use crate::rules::{Options, ZoneName};

pub const PAGE_STORES: usize = 100;
pub const PAGE_STORES_MAX: usize = 10_000;
/// Columns of the CSV, and fields of each store in the JSON.
pub const COLUMNS: [&str; 7] = [
    "store_id",
    "time_zone",
    "uses_default_time_zone",
    "uses_default_hours",
    "first_polled_at",
    "last_polled_at",
    "polls",
];
const CURSOR_CHECK_DIGITS: usize = 6;

pub async fn list(service: &Service, request: &Request) -> Answer {
    let (list, wanted) = (ListQuery::read(request)?, ResponseFormat::read(request)?);
    let snapshot = service.snapshots.at(list.as_of).await?;
    let tag = tag(request, &snapshot, wanted)?;
    if is_known(request, &tag) {
        let mut reply = Reply::default();
        *reply.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(with_headers(reply, [(ETAG, tag)]));
    }
    let (stores, version) = (snapshot.stores(&service.compute).await?, snapshot.version());
    let page = service.compute.run_blocking(move || {
        let page = list.page(&stores);
        let cursor = page.next.then(|| page.stores.last().map(|last| encode_cursor(last.id)));
        let body = match wanted {
            ResponseFormat::Json => page.json(version, cursor.as_ref().and_then(Option::as_deref)),
            ResponseFormat::Csv => page.csv()?,
        };
        Ok((body, cursor.flatten()))
    });
    let (body, cursor) = page.await?;
    let link = cursor.map(|cursor| next_link(request, &cursor)).transpose()?;
    let reply = with_headers(wanted.reply(body), [(ETAG, tag)]);
    Ok(with_headers(reply, link.map(|link| (LINK, link))))
}

/// Adds the given headers, and those common to all responses of the list.
fn with_headers(
    mut reply: Reply,
    headers: impl IntoIterator<Item = (HeaderName, String)>,
) -> Reply {
    let of_all = [(CACHE_CONTROL, "private, no-cache".to_owned()), (VARY, "Accept".to_owned())];
    for (name, value) in headers.into_iter().chain(of_all) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
}

/// Entity tag: the same query on the same data gives the same page.
fn tag(request: &Request, snapshot: &Snapshot, wanted: ResponseFormat) -> Answer<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&snapshot.fingerprint);
    let (program, version) = (env!("CARGO_PKG_VERSION"), snapshot.version());
    hasher.update(format!("{program} {version} {}", wanted.format()).as_bytes());
    hasher.update(format!("{:?}", request.query.each()?).as_bytes());
    Ok(format!("\"{}\"", &hasher.finalize().to_hex()[..32]))
}

/// Link to the next page (RFC 8288).
fn next_link(request: &Request, cursor: &str) -> Answer<String> {
    let mut pairs = request.query.each()?;
    pairs.retain(|(name, _)| *name != "cursor");
    pairs.push(("cursor", cursor));
    let query = serde_urlencoded::to_string(pairs);
    let query =
        query.map_err(|error| Refusal::wrong(format!("the query is malformed: {error}")))?;
    Ok(format!("</v1/stores?{query}>; rel=\"next\""))
}

/// Filter and page of the list.
struct ListQuery {
    limit: usize,
    /// Id that precedes the page.
    after: Option<String>,
    prefix: String,
    /// Substring of ids, ignoring the case of ASCII letters.
    part: String,
    time_zone: Option<String>,
    uses_default_time_zone: Option<bool>,
    uses_default_hours: Option<bool>,
    never_polled: Option<bool>,
    as_of: Option<u64>,
}

impl ListQuery {
    /// # Errors
    /// Names the unknown or malformed parameter, and states what is expected.
    fn read(request: &Request) -> Answer<Self> {
        let mut list = Self {
            limit: PAGE_STORES,
            after: None,
            prefix: String::new(),
            part: String::new(),
            time_zone: None,
            uses_default_time_zone: None,
            uses_default_hours: None,
            never_polled: None,
            as_of: None,
        };
        for (name, value) in request.query.each()? {
            let set = list.set(name, value);
            set.map_err(|wrong| Refusal::wrong(format!("{name}: {wrong}")))?;
        }
        Ok(list)
    }

    fn set(&mut self, name: &str, value: &str) -> std::result::Result<(), String> {
        match name {
            "limit" => {
                let limit = value.parse().ok();
                let limit = limit.filter(|limit| (1..=PAGE_STORES_MAX).contains(limit));
                self.limit = limit
                    .ok_or_else(|| format!("expected a number from 1 to {PAGE_STORES_MAX}"))?;
            }
            "cursor" => {
                let after = decode_cursor(value);
                self.after = Some(
                    after.ok_or_else(|| format!("{value:?} is not from this list; expected a next_cursor, or nothing for the first page"))?,
                );
            }
            "prefix" => self.prefix = value.to_owned(),
            "q" => self.part = value.to_ascii_lowercase(),
            "time_zone" => self.time_zone = Some(value.parse::<ZoneName>()?.to_string()),
            "uses_default_time_zone" => self.uses_default_time_zone = Some(truth(value)?),
            "uses_default_hours" => self.uses_default_hours = Some(truth(value)?),
            "never_polled" => self.never_polled = Some(truth(value)?),
            "as_of" => {
                let version = value.parse().ok();
                self.as_of = Some(version.ok_or_else(|| {
                    format!("{value:?} is not the number of a version; /v1/versions lists them")
                })?);
            }
            // Read separately.
            "format" => {}
            _ => {
                return Err("is not a parameter here; expected limit, cursor, prefix, q, time_zone, uses_default_time_zone, uses_default_hours, never_polled, as_of or format".to_owned());
            }
        }
        Ok(())
    }

    fn page<'a>(&self, stores: &'a StoreList) -> Page<'a> {
        let wants = |store: &ListedStore<'_>| self.wants(store);
        let mut wanted = stores.with_prefix(&self.prefix, self.after.as_deref()).filter(wants);
        let page = wanted.by_ref().take(self.limit).collect();
        let next = wanted.next().is_some();
        let all = stores.with_prefix(&self.prefix, None);
        let total = if self.has_filters() { all.filter(wants).count() } else { all.len() };
        Page { stores: page, total, next }
    }

    /// Returns true if a store with the prefix may be filtered out.
    fn has_filters(&self) -> bool {
        let Self {
            limit: _,
            after: _,
            prefix: _,
            as_of: _,
            part,
            time_zone,
            uses_default_time_zone,
            uses_default_hours,
            never_polled,
        } = self;
        let asked = [uses_default_time_zone, uses_default_hours, never_polled];
        !part.is_empty() || time_zone.is_some() || asked.iter().any(|asked| asked.is_some())
    }

    fn wants(&self, store: &ListedStore<'_>) -> bool {
        let is = |wanted: Option<bool>, found: bool| wanted.is_none_or(|wanted| wanted == found);
        is(self.uses_default_time_zone, store.time_zone.is_none())
            && is(self.uses_default_hours, !store.has_hours)
            && is(self.never_polled, store.polls == 0)
            && self.time_zone.as_deref().is_none_or(|wanted| wanted == zone(store))
            && (self.part.is_empty() || store.id.to_ascii_lowercase().contains(&self.part))
    }
}

fn truth(text: &str) -> std::result::Result<bool, String> {
    parse_keyword(TRUTHS, text)
}

/// Effective zone of the store.
fn zone<'a>(store: &ListedStore<'a>) -> &'a str {
    store.time_zone.unwrap_or_else(|| Options::default().default_time_zone.as_str())
}

struct Page<'a> {
    stores: Vec<ListedStore<'a>>,
    /// Stores on all pages.
    total: usize,
    /// Set if there are later pages.
    next: bool,
}

impl Page<'_> {
    fn json(&self, version: u64, cursor: Option<&str>) -> Vec<u8> {
        let stores: Vec<_> = self.stores.iter().map(described).collect();
        let page = json!({
            "stores": stores,
            "total": self.total,
            "data_version": version,
            "next_cursor": cursor,
        });
        (page.to_string() + "\n").into_bytes()
    }

    fn csv(&self) -> Result<Vec<u8>> {
        let text = |of: &dyn Fn(&ListedStore<'_>) -> Option<String>| -> ArrayRef {
            Arc::new(self.stores.iter().map(of).collect::<StringArray>())
        };
        let truth = |of: fn(&ListedStore<'_>) -> bool| -> ArrayRef {
            Arc::new(BooleanArray::from(self.stores.iter().map(of).collect::<Vec<_>>()))
        };
        let polls = self.stores.iter().map(|store| store.polls);
        let columns: [ArrayRef; 7] = [
            text(&|store| Some(store.id.to_owned())),
            text(&|store| Some(zone(store).to_owned())),
            truth(|store| store.time_zone.is_none()),
            truth(|store| !store.has_hours),
            text(&|store| store.first_polled_at.map(instant_text)),
            text(&|store| store.last_polled_at.map(instant_text)),
            Arc::new(Int64Array::from_iter_values(polls)),
        ];
        let named = COLUMNS.into_iter().zip(columns).map(|(name, column)| (name, column, true));
        render(&RecordBatch::try_from_iter_with_nullable(named)?, Format::Csv)
    }
}

fn described(store: &ListedStore<'_>) -> Value {
    json!({
        "store_id": store.id,
        "time_zone": zone(store),
        "uses_default_time_zone": store.time_zone.is_none(),
        "uses_default_hours": !store.has_hours,
        "first_polled_at": store.first_polled_at.map(instant_text),
        "last_polled_at": store.last_polled_at.map(instant_text),
        "polls": store.polls,
    })
}

/// Cursor of a page: its last id in hexadecimal, and a checksum against made-up cursors.
fn encode_cursor(id: &str) -> String {
    let digits: String = id.bytes().map(|byte| format!("{byte:02x}")).collect();
    let check = blake3::hash(id.as_bytes()).to_hex();
    format!("{digits}{}", &check[..CURSOR_CHECK_DIGITS])
}

/// Id of a cursor; `None` if it is malformed.
fn decode_cursor(cursor: &str) -> Option<String> {
    let digits = cursor.as_bytes().get(..cursor.len().checked_sub(CURSOR_CHECK_DIGITS)?)?;
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    let bytes = digits.chunks(2).map(byte).collect::<Option<Vec<_>>>()?;
    let id = String::from_utf8(bytes).ok()?;
    (encode_cursor(&id) == cursor).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_id_and_nothing_else_does() {
        for id in ["1177941416522642976", "a", "Döner König", "🍕", "a,b\n"] {
            let cursor = encode_cursor(id);
            assert_eq!(decode_cursor(&cursor).as_deref(), Some(id), "{cursor}");
            let near =
                [&cursor[1..], &cursor[2..], &cursor.to_uppercase(), &format!("61{cursor}"), ""];
            for near in near.into_iter().filter(|near| **near != cursor) {
                assert_eq!(decode_cursor(near), None, "{near}");
            }
        }
        for garbled in ["é", "ééééé", "+61aaaaaa", "zz000000", "000000"] {
            assert_eq!(decode_cursor(garbled), None, "{garbled}");
        }
    }
}
