//! What clients ask in SQL, as all listeners ask it.
//!
//! A [`Question`] is a text with the values bound to it; it is [`Described`], or its [`Rows`] come. The
//! [`Answerer`] does both: in processes of their own (`apart` is the server's side of them, `worker` is
//! theirs, `messages` cross between the two), or, where there are none, in this one. Nothing that a
//! client says is parsed, planned, bound or run elsewhere. Knows nothing of the listeners.

mod answerer;
#[cfg(unix)]
mod apart;
mod binding;
mod failure;
mod messages;
mod rows;
#[cfg(unix)]
pub mod worker;

use std::path::PathBuf;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::answerer::Answerer;
#[cfg(feature = "flight")]
pub use self::binding::{not_one_row, of_values};
pub use self::failure::Failure;
pub use self::rows::Rows;
use super::jobs::Jobs;
#[cfg(feature = "postgres")]
use super::postgres;
use crate::error::Result;
use crate::sql::{Described as Descriptions, Limits};

/// What is asked, over which version of the data, and within which limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    version: u64,
    sql: String,
    time: Duration,
    rows_max: usize,
    form: Form,
    /// The values, where they are not in the form; beside the header of a message.
    #[serde(skip)]
    bytes: Bytes,
}

/// How a text is read, and which values are bound to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Form {
    /// Its parameters stay open.
    Open,
    /// An array for `$1`, an object for `$name`.
    Json(Value),
    /// One row, as an Arrow IPC stream.
    Row,
    #[cfg(feature = "postgres")]
    Postgres(postgres::StatementContext),
}

impl Question {
    pub fn new(version: u64, sql: impl Into<String>, limits: Limits) -> Self {
        let (time, rows_max) = (limits.time, limits.rows);
        let (form, bytes) = (Form::Open, Bytes::new());
        Self { version, sql: sql.into(), time, rows_max, form, bytes }
    }

    /// With an array for `$1`, or an object for `$name`.
    pub fn with_json(self, values: Value) -> Self {
        Self { form: Form::Json(values), ..self }
    }

    /// With a row whose columns are the values, by name or else by place.
    ///
    /// # Errors
    /// Where the row cannot be written as Arrow IPC.
    pub fn with_row(self, row: &RecordBatch) -> Result<Self> {
        Ok(Self { form: Form::Row, bytes: messages::of_batch(row)?.into(), ..self })
    }

    /// One statement of a text, as a client of PostgreSQL means it.
    #[cfg(feature = "postgres")]
    pub fn of_postgres(self, form: postgres::StatementContext, bytes: Bytes) -> Self {
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

/// What is told of a question before it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    pub columns: SchemaRef,
    /// `$1` before `$2` before `$10` before `$name`; of type null where any is taken.
    pub parameters: SchemaRef,
    /// Numbers of the types as which clients of PostgreSQL send their values.
    pub sent_as: Vec<u32>,
    pub is_repeatable: bool,
}

/// What is told of a question as its rows begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// What each column holds.
    pub descriptions: Vec<Option<String>>,
    /// Whether the rows are a plan, which names files.
    pub is_plan: bool,
    /// Whether they are the same whenever they are asked for over the same data.
    pub is_repeatable: bool,
}

impl Head {
    pub fn descriptions(&self) -> Descriptions {
        Descriptions::from_texts(self.descriptions.clone())
    }
}

/// Whom to ask; a server has one.
pub struct Questions {
    here: Answerer,
    limits: Limits,
    #[cfg(unix)]
    apart: Option<apart::Workers>,
}

impl Questions {
    /// Over the tables of a folder, in processes of the program where one is given.
    ///
    /// # Errors
    /// Where the system has no thread left.
    pub fn open(
        folder: PathBuf,
        jobs: &Jobs,
        limits: Limits,
        program: Option<PathBuf>,
    ) -> Result<Self> {
        #[cfg(not(unix))]
        let _ = program;
        Ok(Self {
            #[cfg(unix)]
            apart: program
                .map(|program| apart::Workers::new(program, &folder, jobs.clone(), limits))
                .transpose()?,
            here: Answerer::over(folder, jobs.tables(), limits),
            limits,
        })
    }

    /// Has processes ready for questions about a version.
    pub fn warm(&self, version: u64) {
        #[cfg(unix)]
        if let Some(apart) = &self.apart {
            apart.warm(version);
        }
        #[cfg(not(unix))]
        let _ = version;
    }

    pub fn close(&self) {
        #[cfg(unix)]
        if let Some(apart) = &self.apart {
            apart.close();
        }
    }

    /// What a version of the data has, for whoever lists it.
    ///
    /// # Errors
    /// Where the tables cannot be read.
    #[cfg(feature = "flight")]
    pub async fn session(
        &self,
        version: u64,
    ) -> std::result::Result<std::sync::Arc<crate::sql::Session>, Failure> {
        self.here.session(version, false).await
    }

    /// The statements of a text.
    ///
    /// # Errors
    /// Where it is not SQL, says where; where it is too deep.
    #[cfg(feature = "postgres")]
    pub async fn read(&self, text: &str) -> std::result::Result<Vec<postgres::Outline>, Failure> {
        #[cfg(unix)]
        if let Some(apart) = &self.apart {
            return apart.read(text).await;
        }
        self.here.read(text)
    }

    /// # Errors
    /// Where it cannot be planned, or takes too long.
    pub async fn describe(&self, question: Question) -> std::result::Result<Described, Failure> {
        #[cfg(unix)]
        if let Some(apart) = &self.apart {
            return apart.describe(&question).await;
        }
        self.here.describe(&question).await
    }

    /// Its rows, as they come.
    ///
    /// # Errors
    /// Where it cannot be planned or carried out, or meets a limit before the first row.
    pub async fn run(&self, question: Question) -> std::result::Result<Rows, Failure> {
        #[cfg(unix)]
        if let Some(apart) = &self.apart {
            return apart.run(&question).await;
        }
        let (head, rows) = self.here.run(&question).await?;
        Ok(Rows::here(head, rows))
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }
}
