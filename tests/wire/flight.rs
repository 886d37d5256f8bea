//! Flight SQL, tested with arrow-flight's client.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow_flight::FlightInfo;
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandGetDbSchemas, CommandGetTables, CommandGetXdbcTypeInfo, SqlInfo};
use futures::TryStreamExt;
use tempfile::TempDir;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use uptally::Limits;
use uptally::internals::server::{Keyring, Role, Settings, key_file};

use super::{
    ENDLESS, EXPIRES_AT, STORES, Wired, audited, check_lines, deep, expiring, limited, locked,
};
use crate::harness::block_on;

pub type Client = FlightSqlServiceClient<Channel>;

pub async fn connect(wired: &Wired) -> Client {
    let endpoint = Endpoint::new(format!("http://{}", wired.flight)).unwrap();
    FlightSqlServiceClient::new(endpoint.connect().await.unwrap())
}

async fn taken(client: &mut Client, info: FlightInfo) -> Result<RecordBatch, FlightError> {
    let schema = Arc::new(info.clone().try_decode_schema().unwrap());
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let batches: Vec<_> = client.do_get(ticket).await?.try_collect().await?;
    for batch in &batches {
        assert_eq!(batch.schema(), schema, "the schema is not the one announced");
    }
    Ok(arrow::compute::concat_batches(&schema, &batches)?)
}

pub async fn asked(client: &mut Client, sql: &str) -> Result<RecordBatch, FlightError> {
    let info = client.execute(sql.to_owned(), None).await?;
    taken(client, info).await
}

#[track_caller]
pub fn code(error: &FlightError) -> Code {
    match error {
        FlightError::Tonic(status) => status.code(),
        FlightError::Arrow(arrow::error::ArrowError::IpcError(text)) => panic!("{text}"),
        other => panic!("{other}"),
    }
}

pub fn number(batch: &RecordBatch) -> i64 {
    batch.column(0).as_primitive::<Int64Type>().value(0)
}

#[test]
fn a_statement_is_a_ticket_and_the_ticket_its_rows() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let mut client = connect(&wired).await;
        assert!(number(&asked(&mut client, "SELECT count(*) FROM polls").await.unwrap()) > 1000);
        let none = asked(&mut client, "SELECT * FROM polls LIMIT 0").await.unwrap();
        assert_eq!(none.num_rows(), 0);
        wired.stop().await;
    });
}

/// Optimization may change the nullability or type of these columns after they were announced.
#[test]
fn rows_have_the_announced_columns() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let mut client = connect(&wired).await;
        for sql in [
            "SELECT nullif(1, 2) AS one FROM stores",
            "SELECT coalesce(NULL, 1) AS one, store_id FROM stores",
            "SELECT CASE WHEN true THEN 'x' END AS x FROM stores",
            "SELECT least(1, 2) AS one, count(*) AS stores FROM stores",
            "SELECT max(1) FILTER (WHERE true) AS one FROM stores",
            "SELECT store_no AS n FROM stores UNION ALL SELECT 7",
            "SELECT CASE WHEN active THEN polled_at ELSE TIMESTAMP '2023-01-01' END AS at FROM polls",
        ] {
            let answer = asked(&mut client, sql).await.unwrap();
            assert!(answer.num_rows() > 0, "{sql}");
            assert!(answer.schema().fields().iter().all(|field| field.is_nullable()), "{sql}");
        }
        wired.stop().await;
    });
}

#[test]
fn a_prepared_statement_takes_values() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let mut client = connect(&wired).await;
        let sql = "SELECT count(*) FROM stores WHERE store_no < $1".to_owned();
        let mut prepared = client.prepare(sql, None).await.unwrap();
        assert_eq!(prepared.parameter_schema().unwrap().field(0).name(), "$1");
        let missing = prepared.execute().await;
        if let Ok(info) = missing {
            assert!(taken(&mut client, info).await.is_err());
        }
        for (below, stores) in [(0, 0), (1, 1), (1000, STORES)] {
            let values = Arc::new(Int64Array::from(vec![below])) as _;
            let values = RecordBatch::try_from_iter([("0", values)]).unwrap();
            prepared.set_parameters(values).unwrap();
            let info = prepared.execute().await.unwrap();
            let found = number(&taken(&mut client, info).await.unwrap());
            assert_eq!(found, stores, "below {below}");
        }
        prepared.close().await.unwrap();
    });
}

#[test]
fn errors_have_a_grpc_code() {
    block_on(async {
        let time = Duration::from_millis(500);
        let wired = Wired::with(limited(Limits { time, ..Limits::default() })).await;
        let error = asked(&mut connect(&wired).await, ENDLESS).await.unwrap_err();
        assert_eq!(code(&error), Code::DeadlineExceeded, "{error}");
        let wired = Wired::with(limited(Limits::default())).await;
        let mut client = connect(&wired).await;
        for (sql, expected) in [
            ("SELEKT 1", Code::InvalidArgument),
            ("SELECT nothing FROM polls", Code::InvalidArgument),
            ("DROP TABLE polls", Code::InvalidArgument),
            ("INSERT INTO polls SELECT * FROM polls", Code::InvalidArgument),
            ("SELECT * FROM '/etc/passwd'", Code::InvalidArgument),
            ("SELECT repeat('x', 2000000000)", Code::ResourceExhausted),
            (&deep(257), Code::InvalidArgument),
            (&deep(200_000), Code::InvalidArgument),
        ] {
            let error = asked(&mut client, sql).await.unwrap_err();
            let sql = &sql[..sql.len().min(80)];
            assert_eq!(code(&error), expected, "{sql}: {error}");
        }
        assert_eq!(number(&asked(&mut client, &deep(100)).await.unwrap()), 101);
    });
}

#[test]
fn a_cut_ends_the_rows_with_an_error() {
    block_on(async {
        let wired = Wired::with(limited(Limits { rows: 7, ..Limits::default() })).await;
        let mut client = connect(&wired).await;
        for (sql, is_cut) in [("SELECT * FROM polls", true), ("SELECT * FROM polls LIMIT 7", false)]
        {
            let info = client.execute(sql.to_owned(), None).await.unwrap();
            let ticket = info.endpoint[0].ticket.clone().unwrap();
            let mut answer = client.do_get(ticket).await.unwrap();
            let mut found = 0;
            let end = loop {
                match answer.try_next().await {
                    Ok(Some(batch)) => found += batch.num_rows(),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            assert_eq!((found, end.is_some()), (7, is_cut), "{sql}");
            if let Some(error) = end {
                assert_eq!(code(&error), Code::ResourceExhausted);
                assert!(error.to_string().contains("--sql-rows"), "{error}");
            }
        }
    });
}

#[test]
fn a_client_that_goes_gives_its_turn_back() {
    block_on(async {
        let limits = Limits { at_once: 1, time: Duration::from_secs(60), ..Limits::default() };
        let wired = Wired::with(limited(limits)).await;
        let mut client = connect(&wired).await;
        let many = "SELECT a.store_id FROM polls a, polls b".to_owned();
        let info = client.execute(many, None).await.unwrap();
        let mut answer = client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
        answer.try_next().await.unwrap();
        drop(answer);
        let next = tokio::time::timeout(Duration::from_secs(30), asked(&mut client, "SELECT 1"));
        assert_eq!(number(&next.await.unwrap().unwrap()), 1);
    });
}

/// A client of its own connection that shows a key.
async fn connect_with(wired: &Wired, key: &str) -> Client {
    let mut client = connect(wired).await;
    client.set_token(key.to_owned());
    client
}

#[test]
fn a_client_that_asks_a_lot_keeps_no_other_waiting() {
    block_on(async {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("keys");
        let [greedy, modest] =
            [(); 2].map(|()| key_file::add(&path, Role::Read, None, "").unwrap().secret);
        let keys = Some(Keyring::open(&path).unwrap());
        let limits = Limits { at_once: 4, time: Duration::from_secs(60), ..Limits::default() };
        let wired = Wired::with(Settings { keys, ..limited(limits) }).await;
        let mut client = connect_with(&wired, &greedy).await;
        let info = client.execute(ENDLESS.to_owned(), None).await.unwrap();
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(client.do_get(ticket.clone()).await.unwrap());
        }
        let mut other = connect_with(&wired, &modest).await;
        let answered = tokio::time::timeout(Duration::from_secs(30), asked(&mut other, "SELECT 1"));
        let batch = tokio::select! {
            biased;
            _ = client.do_get(ticket) => panic!("one client has all turns"),
            answered = answered => answered.unwrap().unwrap(),
        };
        assert_eq!(number(&batch), 1);
    });
}

#[test]
fn clients_that_never_read_keep_nobody_waiting() {
    block_on(async {
        let limits = Limits { at_once: 1, time: Duration::from_secs(60), ..Limits::default() };
        let wired = Wired::with(limited(limits)).await;
        let many = "SELECT value, repeat('x', 100) AS text FROM range(0, 90000) ORDER BY 1";
        let mut unread = Vec::new();
        for _ in 0..8 {
            let mut client = connect(&wired).await;
            let info = client.execute(many.to_owned(), None).await.unwrap();
            let mut answer = client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
            let first = answer.try_next().await.unwrap().unwrap();
            unread.push((client, answer, first.num_rows()));
        }
        let mut client = connect(&wired).await;
        assert_eq!(number(&asked(&mut client, "SELECT 1").await.unwrap()), 1);
        let (_client, mut answer, mut found) = unread.swap_remove(3);
        while let Some(batch) = answer.try_next().await.unwrap() {
            assert_eq!(number(&batch), found as i64);
            found += batch.num_rows();
        }
        assert_eq!(found, 90_000);
    });
}

#[test]
fn the_catalog_is_listed() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let mut client = connect(&wired).await;
        let text = |batch: &RecordBatch, column: &str| {
            let column = batch.column_by_name(column).unwrap().as_string::<i32>().clone();
            column.iter().flatten().map(str::to_owned).collect::<Vec<_>>()
        };
        let info = client.get_catalogs().await.unwrap();
        let catalogs = taken(&mut client, info).await.unwrap();
        assert_eq!(text(&catalogs, "catalog_name"), ["uptally"]);
        let any = CommandGetDbSchemas { catalog: None, db_schema_filter_pattern: None };
        let info = client.get_db_schemas(any).await.unwrap();
        let schemas = taken(&mut client, info).await.unwrap();
        assert_eq!(text(&schemas, "db_schema_name"), ["public"]);
        let polls = CommandGetTables {
            table_name_filter_pattern: Some("poll%".into()),
            include_schema: true,
            ..CommandGetTables::default()
        };
        let info = client.get_tables(polls).await.unwrap();
        let tables = taken(&mut client, info).await.unwrap();
        assert_eq!(text(&tables, "table_name"), ["polls"]);
        assert!(
            !tables.column_by_name("table_schema").unwrap().as_binary::<i32>().value(0).is_empty()
        );
        let info = client.get_table_types().await.unwrap();
        assert_eq!(text(&taken(&mut client, info).await.unwrap(), "table_type"), ["TABLE", "VIEW"]);
        let info = client.get_sql_info(vec![SqlInfo::FlightSqlServerName]).await.unwrap();
        assert_eq!(taken(&mut client, info).await.unwrap().num_rows(), 1);
        let all = CommandGetXdbcTypeInfo { data_type: None };
        let info = client.get_xdbc_type_info(all).await.unwrap();
        assert!(
            text(&taken(&mut client, info).await.unwrap(), "type_name").contains(&"BIGINT".into())
        );
    });
}

#[test]
fn a_key_is_a_token_or_a_password() {
    block_on(async {
        let (settings, key) = locked();
        let wired = Wired::with(settings).await;
        let mut client = connect(&wired).await;
        assert_eq!(code(&asked(&mut client, "SELECT 1").await.unwrap_err()), Code::Unauthenticated);
        client.set_token("upt_wrong".into());
        assert_eq!(code(&asked(&mut client, "SELECT 1").await.unwrap_err()), Code::Unauthenticated);
        client.set_token(key.clone());
        assert_eq!(number(&asked(&mut client, "SELECT 1").await.unwrap()), 1);
        let mut other = connect(&wired).await;
        assert!(other.handshake("ann", "wrong").await.is_err());
        other.handshake("ann", &key).await.unwrap();
        assert_eq!(number(&asked(&mut other, "SELECT 1").await.unwrap()), 1);
    });
}

#[test]
fn statements_are_audited_with_their_rows_and_status() {
    block_on(async {
        let folder = tempfile::TempDir::new().unwrap();
        let (settings, key, lines) = audited(&folder);
        let wired = Wired::with(settings).await;
        let mut client = connect(&wired).await;
        assert!(asked(&mut client, "SELECT 1").await.is_err());
        client.set_token(key.secret.clone());
        let stores = "SELECT store_id FROM stores LIMIT 3";
        assert_eq!(asked(&mut client, stores).await.unwrap().num_rows(), 3);
        assert!(asked(&mut client, "SELEKT").await.is_err());
        client.prepare("SELECT 2".to_owned(), None).await.unwrap();
        let late = "SELECT 10 / (5 - value) AS a FROM generate_series(1, 5)";
        assert!(asked(&mut client, late).await.is_err());
        // What is sent is logged when the last of it was taken.
        wired.stop().await;
        let id = key.id.to_string();
        let id = Some(id.as_str());
        check_lines(
            &lines(),
            "flight",
            &[
                (None, "Authenticate", None, "UNAUTHENTICATED", None),
                (id, "GetFlightInfo", Some(stores), "OK", None),
                (id, "DoGet", Some(stores), "OK", Some(3)),
                (id, "GetFlightInfo", Some("SELEKT"), "INVALID_ARGUMENT", None),
                (id, "CreatePreparedStatement", Some("SELECT 2"), "OK", None),
                (id, "GetFlightInfo", Some(late), "OK", None),
                (id, "DoGet", Some(late), "INVALID_ARGUMENT", None),
            ],
        );
        let text = std::fs::read_to_string(folder.path().join("audit")).unwrap();
        assert!(!text.contains(&key.secret));
    });
}

#[test]
fn a_key_is_refused_from_the_instant_at_which_it_expires() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    block_on(async {
        let (settings, key) = expiring(&NOW, || NOW.load(Ordering::Relaxed));
        let wired = Wired::with(settings).await;
        let mut client = connect(&wired).await;
        client.set_token(key);
        assert_eq!(number(&asked(&mut client, "SELECT 1").await.unwrap()), 1);
        NOW.store(EXPIRES_AT, Ordering::Relaxed);
        assert_eq!(code(&asked(&mut client, "SELECT 1").await.unwrap_err()), Code::Unauthenticated);
    });
}
