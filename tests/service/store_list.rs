//! List of stores, paged, as JSON and CSV.

use std::fmt::Write;

use serde_json::{Value, json};
use tempfile::TempDir;
use uptally::internals::server::Settings;

use super::{Served, waiting};
use crate::harness::{block_on, ingest};

/// Ids in byte order, of which `a` and `b` have everything, `é` has nothing of its own, and `never`
/// was never polled.
async fn small() -> Served {
    let polls = "store_id,timestamp_utc,status\n\
         b,2024-02-29 10:00:00 UTC,active\n\
         b,2024-02-29 12:00:00.5 UTC,active\n\
         a,2024-02-29 11:00:00 UTC,inactive\n\
         A x,2024-02-29 11:00:00 UTC,inactive\n\
         é,2024-02-29 10:30:00 UTC,active\n";
    let hours = "store_id,day_of_week,start_time_local,end_time_local\n\
         a,0,09:00,17:00\nb,0,09:00,17:00\nnever,1,09:00,17:00\n";
    let zones = "store_id,timezone_str\na,Asia/Kolkata\nb,America/Chicago\n";
    let (data, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for (name, text) in [("polls.csv", polls), ("hours.csv", hours), ("zones.csv", zones)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    ingest(data.path(), &[folder.path()]).await.unwrap();
    Served::over(data, waiting())
}

fn ids(page: &Value) -> String {
    let stores = page["stores"].as_array().unwrap_or_else(|| panic!("{page}")).iter();
    stores.map(|store| store["store_id"].as_str().unwrap()).collect::<Vec<_>>().join("|")
}

#[test]
fn a_store_is_listed_with_its_zone_its_defaults_and_its_polls() {
    block_on(async {
        let served = small().await;
        let page = served.get("/v1/stores").await.json();
        assert_eq!(ids(&page), "A x|a|b|never|é");
        assert_eq!(
            page["stores"][2],
            json!({
                "store_id": "b",
                "time_zone": "America/Chicago",
                "uses_default_time_zone": false,
                "uses_default_hours": false,
                "first_polled_at": "2024-02-29T10:00:00.000000Z",
                "last_polled_at": "2024-02-29T12:00:00.500000Z",
                "polls": 2,
            })
        );
        assert_eq!(
            page["stores"][3],
            json!({
                "store_id": "never",
                "time_zone": "America/Chicago",
                "uses_default_time_zone": true,
                "uses_default_hours": false,
                "first_polled_at": null,
                "last_polled_at": null,
                "polls": 0,
            })
        );
        let beside = (&page["total"], &page["data_version"], &page["next_cursor"]);
        assert_eq!(beside, (&json!(5), &json!(1), &Value::Null));
    });
}

#[test]
fn a_filter_leaves_the_stores_that_it_names() {
    block_on(async {
        let served = small().await;
        for (query, expected) in [
            ("prefix=a", "a"),
            ("prefix=%C3%A9", "é"),
            ("prefix=", "A x|a|b|never|é"),
            ("prefix=zz", ""),
            ("q=a", "A x|a"),
            ("q=X", "A x"),
            ("q=VER", "never"),
            ("q=", "A x|a|b|never|é"),
            ("time_zone=Asia/Kolkata", "a"),
            ("time_zone=America/Chicago", "A x|b|never|é"),
            ("time_zone=America/Chicago&uses_default_time_zone=false", "b"),
            ("uses_default_time_zone=true", "A x|never|é"),
            ("uses_default_hours=true", "A x|é"),
            ("uses_default_hours=false", "a|b|never"),
            ("never_polled=true", "never"),
            ("never_polled=false&prefix=a&uses_default_hours=false", "a"),
            ("never_polled=true&q=b", ""),
            ("as_of=1&limit=2", "A x|a"),
        ] {
            let page = served.get(&format!("/v1/stores?{query}")).await.json();
            assert_eq!(ids(&page), expected, "{query}");
        }
    });
}

#[test]
fn the_pages_hold_every_store_once_in_both_forms() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let all = ids(&served.get("/v1/stores").await.json());
        let mut sorted: Vec<_> = all.split('|').collect();
        sorted.sort_unstable();
        assert_eq!((sorted.len(), sorted.join("|")), (40, all.clone()));
        for (form, limit) in [("json", 7), ("csv", 7), ("json", 40), ("csv", 39)] {
            let (mut found, mut pages) = (Vec::new(), 0);
            let mut path = format!("/v1/stores?limit={limit}&format={form}");
            loop {
                let answer = served.get(&path).await;
                let mut page: Vec<String> = match form {
                    "json" => ids(&answer.json()).split('|').map(str::to_owned).collect(),
                    _ => answer
                        .text()
                        .lines()
                        .skip(1)
                        .map(|row| row.split(',').next().unwrap().to_owned())
                        .collect(),
                };
                found.append(&mut page);
                pages += 1;
                let link = answer.header("link");
                if form == "json" {
                    let cursor = answer.json()["next_cursor"].clone();
                    assert_eq!(cursor.is_null(), link.is_empty(), "{link}");
                    assert!(cursor.as_str().is_none_or(|cursor| link.contains(cursor)), "{link}");
                    assert_eq!(answer.json()["total"], 40);
                }
                let Some(next) = link.strip_prefix('<') else { break };
                path = next.strip_suffix(">; rel=\"next\"").unwrap().to_owned();
            }
            assert_eq!((found.join("|"), pages), (all.clone(), 40_usize.div_ceil(limit)), "{form}");
        }
    });
}

#[test]
fn a_cursor_keeps_its_place_when_stores_come_and_the_filter_stays_in_the_link() {
    block_on(async {
        let served = small().await;
        let first = served.get("/v1/stores?limit=1&uses_default_time_zone=true&q=").await;
        let link = first.header("link").to_owned();
        assert!(link.contains("uses_default_time_zone=true") && link.contains("limit=1"), "{link}");
        let folder = TempDir::new().unwrap();
        let more = "store_id,timestamp_utc,status\n0,2024-02-29 10:00:00 UTC,active\n\
             B,2024-02-29 10:00:00 UTC,active\n";
        std::fs::write(folder.path().join("more.csv"), more).unwrap();
        ingest(served.data.path(), &[folder.path()]).await.unwrap();
        let path = link.strip_prefix('<').unwrap().split('>').next().unwrap();
        let second = served.get(path).await.json();
        assert_eq!((ids(&second).as_str(), &second["data_version"]), ("B", &json!(2)));
        // 0, A x, B, never and é, on all pages.
        assert_eq!(second["total"], 5);
        let before = served.get("/v1/stores?as_of=1").await.json();
        assert_eq!((ids(&before).as_str(), &before["total"]), ("A x|a|b|never|é", &json!(5)));
    });
}

#[test]
fn a_list_is_csv_for_clients_that_want_it() {
    block_on(async {
        let served = small().await;
        let expected = "store_id,time_zone,uses_default_time_zone,uses_default_hours,first_polled_at,last_polled_at,polls\n\
             a,Asia/Kolkata,false,false,2024-02-29T11:00:00.000000Z,2024-02-29T11:00:00.000000Z,1\n";
        let path = "/v1/stores?prefix=a";
        for (path, accept) in [
            (path.to_owned(), "text/csv"),
            (path.to_owned(), "application/json;q=0.5, text/csv"),
            (format!("{path}&format=csv"), "application/json"),
        ] {
            let header = format!("accept: {accept}");
            let answer = served.ask("GET", &path, &[&header], "").await;
            assert_eq!(answer.text(), expected, "{path} {accept}");
            assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
            assert_eq!(answer.header("vary"), "Accept");
            assert_eq!(answer.0.headers().get_all("vary").iter().count(), 1);
        }
        let nobody = served.get("/v1/stores?prefix=zz&format=csv").await.text();
        assert_eq!(nobody.lines().count(), 1, "{nobody}");
        for (path, accept) in
            [(path.to_owned(), "*/*"), (format!("{path}&format=json"), "text/csv")]
        {
            let header = format!("accept: {accept}");
            let answer = served.ask("GET", &path, &[&header], "").await;
            assert_eq!(answer.header("content-type"), "application/json");
        }
    });
}

#[test]
fn a_cached_page_is_not_modified_until_the_data_changes() {
    block_on(async {
        let served = small().await;
        let path = "/v1/stores?limit=2";
        let tag = served.get(path).await.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() == 34, "{tag}");
        let asked = format!("if-none-match: {tag}");
        let known = served.ask("GET", path, &[&asked], "").await;
        assert_eq!((known.status(), known.text().as_str()), (304, ""));
        assert_eq!(known.header("etag"), tag);
        for other in ["/v1/stores", "/v1/stores?limit=2&format=csv", "/v1/stores?limit=2&q=a"] {
            assert_eq!(served.ask("GET", other, &[&asked], "").await.status(), 200, "{other}");
        }
        let folder = TempDir::new().unwrap();
        let more = "store_id,timestamp_utc,status\nb,2024-02-29 13:00:00 UTC,active\n";
        std::fs::write(folder.path().join("more.csv"), more).unwrap();
        ingest(served.data.path(), &[folder.path()]).await.unwrap();
        assert_eq!(served.ask("GET", path, &[&asked], "").await.status(), 200);
        let head = served.ask("HEAD", path, &[], "").await;
        assert_eq!((head.status(), head.text().as_str()), (200, ""));
    });
}

#[test]
fn invalid_parameters_of_the_list_are_named() {
    block_on(async {
        let served = small().await;
        let cursor = served.get("/v1/stores?limit=1").await.json()["next_cursor"].clone();
        let cursor = cursor.as_str().unwrap().to_owned();
        let near = [&cursor[1..], &cursor.to_uppercase(), &format!("{cursor}0"), "", "x", "%C3%A9"];
        let cursors = near.map(|near| (format!("cursor={near}"), "not from this list"));
        let others = [
            ("limit=0", "expected a number from 1 to 10000"),
            ("limit=10001", "expected a number from 1 to 10000"),
            ("limit=x", "expected a number from 1 to 10000"),
            ("never_polled=yes", "\"yes\" is not one of true, false"),
            ("uses_default_hours=", "\"\" is not one of true, false"),
            ("time_zone=Mars", "expected an IANA name like America/Chicago"),
            ("as_of=x", "\"x\" is not the number of a version"),
            ("format=xml", "\"xml\" is not one of csv, json"),
            ("offset=5", "is not a parameter here; expected limit, cursor,"),
            ("q=a&q=b", "is given more than once"),
        ];
        let others = others.map(|(query, sentence)| (query.to_owned(), sentence));
        for (query, sentence) in cursors.into_iter().chain(others) {
            let answer = served.get(&format!("/v1/stores?{query}")).await;
            assert_eq!(answer.status(), 400, "{query}");
            let name = query.split('=').next().unwrap();
            let detail = answer.detail();
            let is_named = detail.starts_with(&format!("{name}: ")) && detail.contains(sentence);
            assert!(is_named, "{query}: {detail}");
        }
        assert_eq!(served.get("/v1/stores?as_of=9").await.status(), 400);
    });
}

/// Quoted where RFC 4180 demands it, and whole whatever the id.
#[test]
fn an_odd_id_is_listed_and_found_after_its_page() {
    block_on(async {
        let mut polls = String::from("store_id,timestamp_utc,status\n");
        for id in ["\"a,b\"", "\"say \"\"hi\"\"\"", "a/b?c=d&e", "🍕", "+1"] {
            writeln!(polls, "{id},2024-02-29 10:00:00 UTC,active").unwrap();
        }
        let (data, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        std::fs::write(folder.path().join("polls.csv"), polls).unwrap();
        ingest(data.path(), &[folder.path()]).await.unwrap();
        let served = Served::over(data, Settings::default());
        let (mut found, mut path) = (Vec::new(), "/v1/stores?limit=1".to_owned());
        loop {
            let page = served.get(&path).await.json();
            found.push(ids(&page));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/stores?limit=1&cursor={cursor}");
        }
        assert_eq!(found, ["+1", "a,b", "a/b?c=d&e", "say \"hi\"", "🍕"]);
        let rows = served.get("/v1/stores?format=csv").await.text();
        assert!(
            rows.contains("\n\"a,b\",America") && rows.contains("\n\"say \"\"hi\"\"\","),
            "{rows}"
        );
    });
}
