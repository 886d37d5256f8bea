//! A script's connection by the protocol of PostgreSQL.
//!
//! Types are those that the server describes, values the text that it sends.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use sqllogictest::{AsyncDB, DBOutput};
use tempfile::TempDir;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use uptally::internals::server::Settings;

use super::Wired;
use crate::harness::block_on;
use crate::sql::value::{Kind, Value};
use crate::sql::{chain, scripts};

#[test]
fn every_script_holds_over_the_wire() {
    block_on(async {
        let data = TempDir::new().unwrap();
        chain::load_into(data.path()).await;
        let wired = Wired::over(data, Settings::default()).await;
        let port = wired.postgres.port();
        scripts::run_all(|| WireConnection::open(port)).await;
    });
}

struct WireConnection(Client);

/// Error with the server's message as its text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

impl From<tokio_postgres::Error> for Refused {
    fn from(error: tokio_postgres::Error) -> Self {
        let told = error.as_db_error().map(|told| told.message().to_owned());
        Self(told.unwrap_or_else(|| error.to_string()))
    }
}

impl WireConnection {
    async fn open(port: u16) -> Result<Self, Refused> {
        let parameters = format!("host=127.0.0.1 port={port} user=ann dbname=uptally");
        let (client, connection) = tokio_postgres::connect(&parameters, NoTls).await?;
        tokio::spawn(connection);
        Ok(Self(client))
    }
}

#[async_trait]
impl AsyncDB for WireConnection {
    type Error = Refused;
    type ColumnType = Kind;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<Kind>, Self::Error> {
        let statement = self.0.prepare(sql).await?;
        let types: Vec<_> = statement.columns().iter().map(|c| c.type_().clone()).collect();
        let messages = self.0.simple_query(sql).await?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(
                types.iter().enumerate().map(|(c, of)| value(row.get(c), of).to_string()).collect(),
            ),
            _ => None,
        });
        Ok(DBOutput::Rows { types: types.iter().map(kind).collect(), rows: rows.collect() })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "postgres"
    }
}

fn value(text: Option<&str>, of: &Type) -> Value {
    let Some(text) = text else { return Value::Null };
    match *of {
        Type::BOOL => Value::Boolean(text == "t"),
        Type::INT2 | Type::INT4 | Type::INT8 => Value::Integer(text.parse().unwrap()),
        Type::FLOAT4 | Type::FLOAT8 => Value::Real(text.parse().unwrap()),
        Type::TEXT | Type::VARCHAR => Value::Text(text.to_owned()),
        Type::TIMESTAMPTZ => {
            let at = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z").unwrap();
            Value::Instant(at.timestamp_micros())
        }
        Type::TIMESTAMP => {
            let at = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").unwrap();
            Value::Local(at.and_utc().timestamp_micros())
        }
        Type::DATE => {
            let day: NaiveDate = text.parse().unwrap();
            Value::Date(day.to_epoch_days())
        }
        _ => Value::Other(text.to_owned()),
    }
}

/// See `Kind` for the letters; what the protocol spells in its own way is of any kind.
fn kind(of: &Type) -> Kind {
    match *of {
        Type::BOOL => Kind::Boolean,
        Type::INT2 | Type::INT4 | Type::INT8 => Kind::Integer,
        Type::FLOAT4 | Type::FLOAT8 => Kind::Real,
        Type::TEXT | Type::VARCHAR => Kind::Text,
        Type::TIMESTAMPTZ | Type::TIMESTAMP => Kind::Time,
        Type::DATE => Kind::Date,
        _ => Kind::Any,
    }
}
