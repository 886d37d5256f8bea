//! Worker process: its end of the queries.
//!
//! It receives one query at a time on its standard input, and requests from the server what only
//! the server has: the list of reports. A panic ends it, with a message in the server's log.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::StreamExt;
use serde::Serialize;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::local_executor::LocalExecutor;
use super::messages::{self, wire};
use super::{Failure, SqlQuery};
use crate::error::{Error, Result};
use crate::limits::STACK_BYTES;
use crate::server::jobs::{ListedReport, read_report};
use crate::sql::spool::encode;
use crate::sql::{Report, Reports, report_tables};
use crate::workers::child::{
    ServerSocket, end_before_others, end_with_parent, exit_on_panic, limit_memory, lower_priority,
};
use crate::workers::{Frame, frames, sandbox};

/// Runs queries over the tables of a folder until the server ends the process.
///
/// # Errors
/// If no server has started it, or the system has no thread left.
pub fn run(folder: &Path) -> Result<()> {
    let failed = |error: io::Error| Error::Resource {
        what: "only `uptally serve` starts workers".into(),
        source: error.into(),
    };
    exit_on_panic();
    lower_priority();
    end_with_parent();
    end_before_others();
    let line = Arc::new(ServerSocket::from_stdin().map_err(failed)?);
    let setup = line.receive().and_then(|frame| match frame.kind {
        wire::SETUP => frames::message::<wire::Setup>(frame.payload),
        _ => Err(io::ErrorKind::InvalidData.into()),
    });
    let (setup, _) = setup.map_err(failed)?;
    limit_memory(setup.data_bytes_max);
    let reports = Arc::new(ServerReports {
        line: Arc::clone(&line),
        folder: folder.to_owned(),
        listed: Mutex::default(),
    });
    let executor = LocalExecutor::new(folder.to_owned(), report_tables(reports), setup.limits());
    // The sandbox applies to the calling thread and its children, so enter it before others start.
    // The server has logged what the system lacks.
    drop(sandbox::enter(folder, &std::env::temp_dir()));
    let answering = std::thread::Builder::new().name("answers".into()).stack_size(STACK_BYTES);
    let answering = answering.spawn(move || serve(&line, &executor));
    match answering.map_err(failed)?.join() {
        Ok(ended) => ended.map_err(failed),
        Err(_) => Err(Error::bug("a worker panicked")),
    }
}

fn serve(line: &ServerSocket, executor: &LocalExecutor) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // A termination signal to the whole service is for the server, which lets workers finish.
    let _terminations = {
        let _context = runtime.enter();
        signal(SignalKind::terminate())?
    };
    line.send(wire::SETUP, &[])?;
    while let Ok(asked) = line.receive() {
        Worker { line, executor, runtime: &runtime }.answer(asked)?;
    }
    // The server is gone.
    Ok(())
}

struct Worker<'a> {
    line: &'a ServerSocket,
    executor: &'a LocalExecutor,
    runtime: &'a Runtime,
}

impl Worker<'_> {
    /// # Errors
    /// If the server is gone.
    fn answer(&self, asked: Frame) -> io::Result<()> {
        let may_go_on = asked.kind == wire::RUN;
        let answered = match asked.kind {
            wire::WARM => self.warm(asked.payload),
            wire::READ => self.read(asked.payload),
            wire::DESCRIBE => self.describe(asked.payload),
            wire::RUN => self.run(asked.payload),
            // Answer that came too late for its query.
            wire::REPORTS | wire::BROKEN_REPORT => return Ok(()),
            kind => Err(Aborted::Failed(Failure::Bug(format!(
                "a worker received a frame of kind {kind}"
            )))),
        };
        match answered {
            Ok(()) if !may_go_on => return Ok(()),
            Ok(()) => {}
            Err(Aborted::Failed(failure)) => {
                self.line.send(wire::FAILED, &[&frames::header(&failure)?])?;
            }
            Err(Aborted::Gone(error)) => return Err(error),
        }
        self.runtime.block_on(self.executor.wait_until_idle());
        self.line.send(wire::IDLE, &[])
    }

    fn warm(&self, payload: Vec<u8>) -> Answered {
        let (warm, _): (wire::Warm, _) = frames::message(payload)?;
        let session = self.executor.session(warm.version, warm.is_postgres);
        // Errors are reported by the query itself.
        drop(self.runtime.block_on(session));
        self.line.send(wire::WARM, &[])?;
        Ok(())
    }

    #[cfg(feature = "postgres")]
    fn read(&self, payload: Vec<u8>) -> Answered {
        let text = String::from_utf8(payload).map_err(io::Error::other)?;
        let statements = self.executor.read(&text)?;
        self.send(wire::STATEMENTS, &statements, &[])
    }

    #[cfg(not(feature = "postgres"))]
    fn read(&self, _: Vec<u8>) -> Answered {
        Err(Aborted::Failed(Failure::Bug("this worker is built without PostgreSQL".into())))
    }

    fn describe(&self, payload: Vec<u8>) -> Answered {
        let query = query(payload)?;
        let described = self.runtime.block_on(self.executor.describe(&query))?;
        let (header, behind) = described.message()?;
        self.line.send(wire::DESCRIBED, &[&header, &behind])?;
        Ok(())
    }

    fn run(&self, payload: Vec<u8>) -> Answered {
        let query = query(payload)?;
        self.runtime.block_on(self.send_rows(&query))
    }

    async fn send_rows(&self, query: &SqlQuery) -> Answered {
        let (head, mut rows) = self.executor.run(query).await?;
        self.send(wire::BEGUN, &head, &messages::schema_to_ipc(&rows.schema())?)?;
        while let Some(batch) = rows.next().await.transpose()? {
            self.line.send(wire::BATCH, &[&encode(&batch)?])?;
        }
        self.send(wire::ENDED, &rows.cut().is_cut(), &[])
    }

    fn send(&self, kind: u8, header: &impl Serialize, behind: &[u8]) -> Answered {
        let header = frames::header(header)?;
        self.line.send(kind, &[&header, behind])?;
        Ok(())
    }
}

fn query(payload: Vec<u8>) -> io::Result<SqlQuery> {
    let (query, bytes): (SqlQuery, Bytes) = frames::message(payload)?;
    Ok(SqlQuery { bytes, ..query })
}

type Answered = std::result::Result<(), Aborted>;

/// Reason why a query did not finish.
enum Aborted {
    /// Failure that the server is told.
    Failed(Failure),
    Gone(io::Error),
}

impl From<Failure> for Aborted {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Error> for Aborted {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<io::Error> for Aborted {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

/// Reports of the server: it lists them, and their files are read here.
struct ServerReports {
    line: Arc<ServerSocket>,
    folder: PathBuf,
    /// Reports of the last list, by id.
    listed: Mutex<HashMap<String, ListedReport>>,
}

impl std::fmt::Debug for ServerReports {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ServerReports")
    }
}

impl Reports for ServerReports {
    fn list(&self) -> Result<Vec<Report>> {
        let frame = self.line.call(wire::REPORTS, &[]).map_err(gone)?;
        let (listed, _): (Vec<ListedReport>, _) = frames::message(frame.payload).map_err(gone)?;
        let reports = listed.iter().map(ListedReport::report).collect();
        let by_id = listed.into_iter().map(|listed| (listed.id.clone(), listed)).collect();
        *self.listed.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = by_id;
        Ok(reports)
    }

    fn rows(&self, id: &str) -> Result<Option<RecordBatch>> {
        let listed = {
            let all = self.listed.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            all.get(id).cloned()
        };
        let Some(listed) = listed else { return Ok(None) };
        let rows = read_report(&self.folder, &listed);
        if rows.is_none() {
            // It was removed since, or the server runs it again.
            self.line.call(wire::BROKEN_REPORT, &[id.as_bytes()]).map_err(gone)?;
        }
        Ok(rows)
    }
}

fn gone(error: io::Error) -> Error {
    Error::bug(format!("the server did not answer a worker: {error}"))
}
