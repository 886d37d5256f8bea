//! PostgreSQL protocol, tested with tokio-postgres.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;
use tokio_postgres::error::{DbError, ErrorPosition};
use tokio_postgres::{AsyncMessage, Client, NoTls, SimpleQueryMessage};
use uptally::Limits;
use uptally::internals::server::Settings;

use super::{
    ENDLESS, EXPIRES_AT, STORES, Wired, audited, check_lines, deep, expiring, limited, locked,
};
use crate::harness::block_on;

/// A client, and its stream of notices.
pub async fn connect(
    wired: &Wired,
    password: &str,
) -> Result<(Client, Told), tokio_postgres::Error> {
    let address = wired.postgres;
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(address.port()).user("ann").dbname("uptally");
    if !password.is_empty() {
        config.password(password);
    }
    let (client, mut connection) = config.connect(NoTls).await?;
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut messages =
            futures::stream::poll_fn(move |context| connection.poll_message(context));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notice(notice) = message {
                let _ = tell.send(notice);
            }
        }
    });
    Ok((client, told))
}

pub type Told = mpsc::UnboundedReceiver<DbError>;

/// The rows of the last statement, their values joined by `|`.
pub async fn rows(client: &Client, sql: &str) -> Result<Vec<String>, DbError> {
    let messages =
        client.simple_query(sql).await.map_err(|error| error.as_db_error().unwrap().clone())?;
    Ok(messages
        .into_iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                let values = (0..row.len()).map(|column| row.get(column).unwrap_or("NULL"));
                Some(values.collect::<Vec<_>>().join("|"))
            }
            _ => None,
        })
        .collect())
}

#[test]
fn questions_are_answered_by_both_protocols() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let (client, _told) = connect(&wired, "").await.unwrap();
        let count = rows(&client, "SELECT count(*), min(polled_at) FROM polls").await.unwrap();
        assert!(count[0].ends_with("+00") || count[0].ends_with("+00:00"), "{count:?}");
        assert_eq!(
            rows(&client, "SELECT 1; SELECT 'a' AS b, NULL").await.unwrap(),
            ["1", "a|NULL"]
        );
        assert_eq!(rows(&client, ";").await.unwrap(), [""; 0]);

        let stores = client.query("SELECT DISTINCT store_id FROM polls ORDER BY 1", &[]).await;
        let stores: Vec<String> = stores.unwrap().iter().map(|row| row.get(0)).collect();
        assert!(stores.len() as i64 <= STORES);
        let of_store = client
            .prepare("SELECT store_id, count(*) AS polls FROM polls WHERE store_id = $1 GROUP BY 1")
            .await
            .unwrap();
        for store in &stores[..3] {
            let row = client.query_one(&of_store, &[store]).await.unwrap();
            assert_eq!(row.get::<_, &str>("store_id"), store);
            assert!(row.get::<_, i64>("polls") > 0);
        }
        let row =
            client.query_one("SELECT $1::bigint + 1, $2 || 'b'", &[&41i64, &"a"]).await.unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get::<_, &str>(1)), (42, "ab"));
        wired.stop().await;
    });
}

#[test]
fn a_portal_hands_out_its_rows_in_parts() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let (mut client, _told) = connect(&wired, "").await.unwrap();
        let transaction = client.transaction().await.unwrap();
        let portal =
            transaction.bind("SELECT value FROM generate_series(1, 5)", &[]).await.unwrap();
        for expected in [&[1i64, 2][..], &[3, 4], &[5], &[]] {
            let part = transaction.query_portal(&portal, 2).await.unwrap();
            let part: Vec<i64> = part.iter().map(|row| row.get(0)).collect();
            assert_eq!(part, expected);
        }
        transaction.commit().await.unwrap();
    });
}

#[test]
fn errors_have_a_sqlstate_and_a_position() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let (client, _told) = connect(&wired, "").await.unwrap();
        for (sql, code, place) in [
            ("SELEKT 1", "42601", Some(1)),
            ("SELECT (1,\n 2 FROM polls", "42601", None),
            ("SELECT store_id, nothing FROM polls", "42703", Some(18)),
            ("SELECT * FROM nowhere", "42P01", Some(15)),
            ("SELECT no_function(1)", "42883", None),
            ("SELECT 1 / 0", "22012", None),
            ("SELECT CAST('x' AS BIGINT)", "22P02", None),
            ("CREATE TABLE t AS SELECT 1", "25006", None),
            ("INSERT INTO polls SELECT * FROM polls", "25006", None),
            ("COPY polls TO '/tmp/polls.csv'", "25006", None),
            ("SELECT * FROM '/etc/passwd'", "42P01", None),
            ("SET datafusion.execution.batch_size = 1", "42704", None),
            ("SET timezone = 'Europe/Berlin'", "22023", None),
        ] {
            let error = rows(&client, sql).await.unwrap_err();
            assert_eq!(error.code().code(), code, "{sql}: {error}");
            if let Some(place) = place {
                assert_eq!(
                    error.position(),
                    Some(&ErrorPosition::Original(place)),
                    "{sql}: {error}"
                );
            }
        }
        assert_eq!(rows(&client, "SELECT 1").await.unwrap(), ["1"]);
    });
}

#[test]
fn a_session_has_settings_and_transactions_that_change_nothing() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let (client, _told) = connect(&wired, "").await.unwrap();
        for (sql, shown) in [
            ("SHOW server_version_num", "160006"),
            ("SHOW transaction_read_only", "on"),
            ("SET statement_timeout = '1500ms'; SHOW statement_timeout", "1500ms"),
            ("RESET statement_timeout; SHOW statement_timeout", "0"),
            ("SHOW TIME ZONE", "UTC"),
            ("BEGIN; SELECT 1; COMMIT", "1"),
            ("SELECT current_database()", "uptally"),
            ("SELECT current_schema()", "public"),
        ] {
            assert_eq!(rows(&client, sql).await.unwrap(), [shown], "{sql}");
        }
        rows(&client, "BEGIN; SELECT nothing").await.unwrap_err();
        let error = rows(&client, "SELECT 1").await.unwrap_err();
        assert_eq!(error.code().code(), "25P02");
        rows(&client, "ROLLBACK").await.unwrap();
        assert_eq!(rows(&client, "SELECT 1").await.unwrap(), ["1"]);
    });
}

#[test]
fn limits_are_reported() {
    block_on(async {
        let time = Duration::from_millis(800);
        let wired = Wired::with(limited(Limits { time, ..Limits::default() })).await;
        let (client, _told) = connect(&wired, "").await.unwrap();
        let error = rows(&client, ENDLESS).await.unwrap_err();
        assert_eq!(error.code().code(), "57014", "{error}");
        assert!(error.message().contains("due to statement timeout"), "{error}");
        assert!(error.message().contains("--sql-time"), "{error}");
        let wired = Wired::with(limited(Limits { rows: 7, ..Limits::default() })).await;
        let (client, mut told) = connect(&wired, "").await.unwrap();
        assert_eq!(rows(&client, "SELECT * FROM polls").await.unwrap().len(), 7);
        let notice = told.recv().await.unwrap();
        assert_eq!((notice.severity(), notice.code().code()), ("WARNING", "01004"), "{notice}");
        assert_eq!(client.query("SELECT * FROM polls", &[]).await.unwrap().len(), 7);
        assert!(told.recv().await.unwrap().message().contains("--sql-rows"));
        let hungry = rows(&client, "SELECT repeat('x', 2000000000)").await.unwrap_err();
        assert!(hungry.message().contains("--sql-memory"), "{hungry}");
        for operators in [257, 200_000] {
            let sql = deep(operators);
            let refused = rows(&client, &sql).await.unwrap_err();
            assert!(refused.message().contains("256 operators"), "{refused}");
            let refused = client.prepare(&sql).await.unwrap_err();
            assert!(refused.as_db_error().unwrap().message().contains("256 operators"));
        }
        assert_eq!(rows(&client, &deep(100)).await.unwrap(), ["101"]);
    });
}

#[test]
fn a_query_that_is_cancelled_or_whose_client_goes_gives_its_turn_back() {
    block_on(async {
        let limits = Limits { at_once: 1, time: Duration::from_secs(60), ..Limits::default() };
        let wired = Wired::with(limited(limits)).await;
        let (client, _told) = connect(&wired, "").await.unwrap();
        let token = client.cancel_token();
        let asked = tokio::spawn(async move {
            let failed = rows(&client, ENDLESS).await.unwrap_err();
            (failed, client)
        });
        // Asked again until it is heard: before the query has begun there is nothing to cancel.
        while !asked.is_finished() {
            token.cancel_query(NoTls).await.unwrap();
            tokio::task::yield_now().await;
        }
        let (failed, client) = asked.await.unwrap();
        assert_eq!(failed.code().code(), "57014");
        assert_eq!(failed.message(), "canceling statement due to user request");
        // A request that came too late for that query may meet the next one, as it may anywhere.
        while let Err(failed) = rows(&client, "SELECT 1").await {
            assert_eq!(failed.code().code(), "57014");
        }

        let (gone, _told) = connect(&wired, "").await.unwrap();
        let rows_of_many = gone.query_raw("SELECT a.store_id FROM polls a, polls b", [0i32; 0]);
        let mut many = Box::pin(rows_of_many.await.unwrap());
        many.try_next().await.unwrap();
        drop((many, gone));
        // Sooner than at the limit of time of the query whose client is gone.
        let next = tokio::time::timeout(Duration::from_secs(30), rows(&client, "SELECT 1"));
        assert_eq!(next.await.unwrap().unwrap(), ["1"]);
    });
}

#[test]
fn portals_that_are_read_in_part_keep_nobody_waiting() {
    block_on(async {
        let limits = Limits { at_once: 1, time: Duration::from_secs(60), ..Limits::default() };
        let wired = Wired::with(limited(limits)).await;
        let (mut client, _told) = connect(&wired, "").await.unwrap();
        let (other, _told) = connect(&wired, "").await.unwrap();
        let transaction = client.transaction().await.unwrap();
        let many = "SELECT value FROM generate_series(1, 90000) ORDER BY 1";
        let mut portals = Vec::new();
        for _ in 0..8 {
            let portal = transaction.bind(many, &[]).await.unwrap();
            assert_eq!(transaction.query_portal(&portal, 1).await.unwrap().len(), 1);
            portals.push(portal);
        }
        assert_eq!(rows(&other, "SELECT 1").await.unwrap(), ["1"]);
        let rest = transaction.query_portal(&portals[3], 0).await.unwrap();
        let rest = rest.iter().map(|row| row.get::<_, i64>(0));
        assert!(rest.eq(2..=90_000));
        // There is room for another one in place of that, and for no more.
        let portal = transaction.bind(many, &[]).await.unwrap();
        assert_eq!(transaction.query_portal(&portal, 1).await.unwrap().len(), 1);
        let too_many = transaction.bind(many, &[]).await.unwrap();
        let refused = transaction.query_portal(&too_many, 1).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "53400", "{refused}");
    });
}

#[test]
fn portals_that_are_read_in_part_take_memory_of_their_client() {
    block_on(async {
        // Of the least that there is for clients, one has 16 MiB.
        let wired = Wired::with(Settings { memory_bytes: 0, ..Settings::default() }).await;
        let (mut client, _told) = connect(&wired, "").await.unwrap();
        let transaction = client.transaction().await.unwrap();
        let many = "SELECT value FROM generate_series(1, 90000) ORDER BY 1";
        let mut portals = Vec::new();
        let refused = loop {
            let portal = transaction.bind(many, &[]).await.unwrap();
            match transaction.query_portal(&portal, 1).await {
                Ok(_) => portals.push(portal),
                Err(refused) => break refused,
            }
        };
        assert_eq!((refused.code().unwrap().code(), portals.len()), ("53000", 7), "{refused}");
        drop((portals, transaction));
        assert_eq!(rows(&client, "SELECT 1").await.unwrap(), ["1"]);
    });
}

#[test]
fn a_portal_keeps_its_rows_while_its_client_reads_some() {
    block_on(async {
        let limits = Limits { idle_time: Duration::from_millis(200), ..Limits::default() };
        let wired = Wired::with(limited(limits)).await;
        let (mut client, _told) = connect(&wired, "").await.unwrap();
        let transaction = client.transaction().await.unwrap();
        let many = "SELECT value FROM generate_series(1, 90000) ORDER BY 1";
        let portal = transaction.bind(many, &[]).await.unwrap();
        let mut read = Vec::new();
        for _ in 0..3 {
            let part = transaction.query_portal(&portal, 30_000).await.unwrap();
            read.extend(part.iter().map(|row| row.get::<_, i64>(0)));
            // The client has other things to do, for longer than one may that stops reading.
            let other =
                tokio::time::timeout(Duration::from_millis(600), std::future::pending::<()>());
            other.await.unwrap_err();
        }
        assert!(read.into_iter().eq(1..=90_000));
    });
}

#[test]
fn a_key_is_the_password() {
    block_on(async {
        let (settings, key) = locked();
        let wired = Wired::with(settings).await;
        for wrong in ["upt_wrong", "x"] {
            let Err(error) = connect(&wired, wrong).await else { panic!("{wrong} was let in") };
            assert_eq!(error.code().unwrap().code(), "28P01");
        }
        let (client, _told) = connect(&wired, &key).await.unwrap();
        assert_eq!(rows(&client, "SELECT 1").await.unwrap(), ["1"]);
    });
}

#[test]
fn logins_and_statements_are_audited_with_their_rows_and_status() {
    block_on(async {
        let folder = tempfile::TempDir::new().unwrap();
        let (settings, key, lines) = audited(&folder);
        let wired = Wired::with(settings).await;
        assert!(connect(&wired, "upt_wrong").await.is_err());
        let (client, _told) = connect(&wired, &key.secret).await.unwrap();
        let two = "SELECT store_id FROM stores LIMIT 2; SELECT 1";
        rows(&client, two).await.unwrap();
        rows(&client, "SELEKT").await.unwrap_err();
        rows(&client, "BEGIN").await.unwrap();
        rows(&client, "ROLLBACK").await.unwrap();
        let prepared = "SELECT store_id FROM stores WHERE store_no < 4";
        let statement = client.prepare(prepared).await.unwrap();
        assert_eq!(client.query(&statement, &[]).await.unwrap().len(), 4);
        assert!(client.prepare("SELECT nothing FROM stores").await.is_err());
        drop((statement, client));
        wired.stop().await;
        let id = key.id.to_string();
        let id = Some(id.as_str());
        check_lines(
            &lines(),
            "postgres",
            &[
                (None, "Startup", None, "28P01", None),
                (id, "Startup", None, "00000", None),
                (id, "Query", Some(two), "00000", Some(3)),
                (id, "Query", Some("SELEKT"), "42601", None),
                (id, "Query", Some("BEGIN"), "00000", None),
                (id, "Query", Some("ROLLBACK"), "00000", None),
                (id, "Parse", Some(prepared), "00000", None),
                (id, "Execute", Some(prepared), "00000", Some(4)),
                (id, "Parse", Some("SELECT nothing FROM stores"), "42703", None),
            ],
        );
        let text = std::fs::read_to_string(folder.path().join("audit")).unwrap();
        assert!(!text.contains(&key.secret));
    });
}

#[test]
fn a_session_ends_at_the_instant_at_which_its_key_expires() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    block_on(async {
        let (settings, key) = expiring(&NOW, || NOW.load(Ordering::Relaxed));
        let wired = Wired::with(settings).await;
        let simple = connect(&wired, &key).await.unwrap();
        let extended = connect(&wired, &key).await.unwrap();
        let one = extended.0.prepare("SELECT 1").await.unwrap();
        assert_eq!(rows(&simple.0, "SELECT 1").await.unwrap(), ["1"]);
        extended.0.query_one(&one, &[]).await.unwrap();
        NOW.store(EXPIRES_AT, Ordering::Relaxed);
        let told = rows(&simple.0, "SELECT 1").await.unwrap_err();
        assert_eq!((told.code().code(), told.severity()), ("28P01", "FATAL"));
        assert!(told.message().contains("expired at 2030-01-01T00:00:00.000000Z"), "{told}");
        let told = extended.0.query_one(&one, &[]).await.unwrap_err();
        assert_eq!(told.code().unwrap().code(), "28P01");
        let Err(told) = connect(&wired, &key).await else { panic!("it was let in") };
        assert_eq!(told.code().unwrap().code(), "28P01");
        wired.stop().await;
    });
}

#[test]
fn each_query_sees_the_newest_data() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let (client, _told) = connect(&wired, "").await.unwrap();
        let count = client.prepare("SELECT count(*) FROM polls").await.unwrap();
        let before: i64 = client.query_one(&count, &[]).await.unwrap().get(0);
        let more = wired.data.path().join("more.csv");
        let text = "store_id,status,timestamp_utc\nnew,active,2023-01-24 00:00:00 UTC\n";
        std::fs::write(&more, text).unwrap();
        crate::harness::ingest(wired.data.path(), &[&more]).await.unwrap();
        assert_eq!(client.query_one(&count, &[]).await.unwrap().get::<_, i64>(0), before + 1);
    });
}
