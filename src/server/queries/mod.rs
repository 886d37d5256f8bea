//! SQL queries of clients, for all listeners.
//!
//! A [`SqlQuery`] is a statement with the values bound to it; it is [`Described`], or its [`Rows`]
//! are streamed. The [`LocalExecutor`] does both, in worker processes (`worker_client` is the
//! server's end, `worker` is theirs, `messages` cross between them), or without those in this
//! process. Nothing that a client sends is parsed, planned, bound or run elsewhere. Knows no
//! listener.

mod binding;
mod failure;
mod local_executor;
#[cfg(unix)]
mod messages;
mod rows;
#[cfg(unix)]
mod work;
#[cfg(unix)]
pub mod worker;
#[cfg(unix)]
mod worker_client;

use std::path::PathBuf;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[cfg(feature = "flight")]
pub use self::binding::{not_one_row, wrong_values};
pub use self::failure::Failure;
use self::local_executor::LocalExecutor;
pub use self::rows::Rows;
use super::jobs::Jobs;
#[cfg(feature = "postgres")]
use super::postgres::{Outline, StatementContext};
use super::settings::SQL_FLAGS;
use crate::error::Result;
use crate::limits::Limits;
use crate::sql::ColumnDescriptions as Descriptions;
use crate::sql::spool::encode;

/// Statement with its version of the data and its limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SqlQuery {
    version: u64,
    sql: String,
    time: Duration,
    rows_max: usize,
    form: Form,
    /// Values that are not in the form; sent behind the header of a message.
    #[serde(skip)]
    bytes: Bytes,
}

/// Dialect of the statement, and the values bound to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Form {
    /// Parameters stay unbound.
    Open,
    /// An array for `$1`, an object for `$name`.
    Json(Value),
    /// Single row, as an Arrow IPC stream.
    Row,
    #[cfg(feature = "postgres")]
    Postgres(StatementContext),
}

impl SqlQuery {
    pub fn new(version: u64, sql: impl Into<String>, limits: Limits) -> Self {
        let (time, rows_max) = (limits.time, limits.rows);
        let (form, bytes) = (Form::Open, Bytes::new());
        Self { version, sql: sql.into(), time, rows_max, form, bytes }
    }

    /// Binds an array to `$1` and on, or an object to `$name`.
    pub fn with_json(self, values: Value) -> Self {
        Self { form: Form::Json(values), ..self }
    }

    /// Binds a row whose columns are the values, by name or else by position.
    ///
    /// # Errors
    /// If the row cannot be encoded as Arrow IPC.
    pub fn with_row(self, row: &RecordBatch) -> Result<Self> {
        Ok(Self { form: Form::Row, bytes: encode(row)?.into(), ..self })
    }

    /// Takes one statement of a text, in the form of the PostgreSQL protocol.
    #[cfg(feature = "postgres")]
    pub fn with_postgres_form(self, form: StatementContext, bytes: Bytes) -> Self {
        Self { form: Form::Postgres(form), bytes, ..self }
    }

    fn is_postgres(&self) -> bool {
        match &self.form {
            #[cfg(feature = "postgres")]
            Form::Postgres(_) => true,
            _ => false,
        }
    }

    fn limits(&self, usual: Limits) -> Limits {
        Limits { time: self.time, rows: self.rows_max, ..usual }
    }
}

/// Description of a query before it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    pub columns: SchemaRef,
    /// `$1` before `$2` before `$10` before `$name`; of type null where any type is accepted.
    pub parameters: SchemaRef,
    /// OIDs of the types as which PostgreSQL clients send the values.
    pub sent_as: Vec<u32>,
    pub is_repeatable: bool,
}

/// Facts about a query that precede its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Description of each column, if there is one.
    pub descriptions: Vec<Option<String>>,
    /// Set if the rows are a plan, which names files.
    pub is_plan: bool,
    /// Set if the same data always give the same rows.
    pub is_repeatable: bool,
}

impl Head {
    pub fn descriptions(&self) -> Descriptions {
        Descriptions::from_texts(self.descriptions.clone())
    }
}

/// Service that runs queries; a server has one.
pub struct QueryService {
    local: LocalExecutor,
    limits: Limits,
    #[cfg(unix)]
    workers: Option<worker_client::WorkerClient>,
}

impl QueryService {
    /// Serves queries over the tables of a folder, in processes of the program if one is given.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn open(
        folder: PathBuf,
        jobs: &Jobs,
        limits: Limits,
        program: Option<PathBuf>,
    ) -> Result<Self> {
        #[cfg(not(unix))]
        let _ = program;
        let limits = Limits { settings: SQL_FLAGS, ..limits };
        Ok(Self {
            #[cfg(unix)]
            workers: program
                .map(|program| {
                    worker_client::WorkerClient::new(program, &folder, jobs.clone(), limits)
                })
                .transpose()?,
            local: LocalExecutor::new(folder, jobs.tables(), limits),
            limits,
        })
    }

    /// Prepares processes for queries at a version.
    pub fn warm(&self, version: u64) {
        #[cfg(unix)]
        if let Some(workers) = &self.workers {
            workers.warm(version);
        }
        #[cfg(not(unix))]
        let _ = version;
    }

    pub fn close(&self) {
        #[cfg(unix)]
        if let Some(workers) = &self.workers {
            workers.close();
        }
    }

    /// Session at a version, for listing tables and functions.
    ///
    /// # Errors
    /// If the tables cannot be read.
    #[cfg(feature = "flight")]
    pub async fn session(
        &self,
        version: u64,
    ) -> std::result::Result<std::sync::Arc<crate::sql::Session>, Failure> {
        self.local.session(version, false).await
    }

    /// Statements of a text.
    ///
    /// # Errors
    /// If it is not valid SQL, with the position, or nests too deeply.
    #[cfg(feature = "postgres")]
    pub async fn read(&self, text: &str) -> std::result::Result<Vec<Outline>, Failure> {
        #[cfg(unix)]
        if let Some(workers) = &self.workers {
            return workers.read(text).await;
        }
        self.local.read(text)
    }

    /// # Errors
    /// If the query cannot be planned, or not in time.
    pub async fn describe(&self, query: SqlQuery) -> std::result::Result<Described, Failure> {
        #[cfg(unix)]
        if let Some(workers) = &self.workers {
            return workers.describe(&query).await;
        }
        self.local.describe(&query).await
    }

    /// Runs the query and streams its rows.
    ///
    /// # Errors
    /// If the query cannot be planned or run, or exceeds a limit before the first row.
    pub async fn run(&self, query: SqlQuery) -> std::result::Result<Rows, Failure> {
        #[cfg(unix)]
        if let Some(workers) = &self.workers {
            return workers.run(&query).await;
        }
        let (head, rows) = self.local.run(&query).await?;
        Ok(Rows::local(head, rows))
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }
}
