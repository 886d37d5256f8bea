//! State shared by all endpoints: data, reports and settings; a cheap handle.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use warp::http::header::CONTENT_TYPE;
use warp::http::{HeaderValue, Response, StatusCode};
use warp::reply::Response as Reply;

use super::compute_pool::ComputePool;
use super::jobs::Jobs;
use super::metrics::Metrics;
use super::queries::QueryService;
use super::settings::Settings;
use super::snapshots::Snapshots;
use crate::error::Result;

#[derive(Clone)]
pub struct Service(Arc<Shared>);

pub struct Shared {
    pub settings: Settings,
    /// Chain's name in file names of downloads.
    pub chain: String,
    pub snapshots: Arc<Snapshots>,
    pub jobs: Jobs,
    pub metrics: Metrics,
    pub compute: Arc<ComputePool>,
    pub queries: QueryService,
    stopping: AtomicBool,
    stops: Notify,
}

impl std::ops::Deref for Service {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Service {
    /// Opens the tables of a folder, and the reports beside them.
    ///
    /// # Errors
    /// If the folder cannot be written, or another server has it open.
    pub fn open(data: PathBuf, settings: Settings) -> Result<Self> {
        let compute =
            Arc::new(ComputePool::start(settings.query_time, settings.client_bytes_max())?);
        let snapshots = Arc::new(Snapshots::new(data.clone(), Arc::clone(&compute)));
        let jobs = Jobs::open(
            &data.join(super::REPORTS),
            settings.reports,
            Arc::clone(&snapshots),
            Arc::clone(&compute),
            settings.clock,
        )?;
        let metrics = Metrics::new(jobs.clone());
        let program = settings.worker.clone();
        let queries = QueryService::open(data.clone(), &jobs, settings.sql, program)?;
        let (stopping, stops) = (AtomicBool::new(false), Notify::new());
        let chain = settings.chain.clone().unwrap_or_else(|| folder_name(&data));
        let shared =
            Shared { settings, chain, snapshots, jobs, metrics, compute, queries, stopping, stops };
        Ok(Self(Arc::new(shared)))
    }

    /// Writes pending changes and log lines to disk; refuses later triggers.
    pub fn close(&self) {
        self.stop_waiting();
        self.queries.close();
        self.jobs.close();
        if let Some(audit) = &self.settings.audit {
            audit.flush();
        }
    }

    /// Rereads the key file, and reopens the audit log.
    pub fn reload(&self) {
        if let Some(keys) = &self.settings.keys {
            keys.reload();
        }
        if let Some(audit) = &self.settings.audit {
            audit.reopen();
        }
    }

    /// Forgets the reports that are due at an instant, microseconds UTC.
    pub async fn expire(&self, at: i64) {
        if let Err(refused) = self.jobs.expire(at).await {
            tracing::warn!(?refused, "reports were not expired");
        }
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Ends all waiting for reports at once, now and later.
    pub fn stop_waiting(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.stops.notify_waiters();
    }

    /// Completes when the service begins to stop.
    pub async fn stopped(&self) {
        let stops = self.stops.notified();
        if !self.is_stopping() {
            stops.await;
        }
    }

    /// Waits for a future, but no longer than the time, and not while the service stops.
    pub async fn wait(&self, time: Duration, work: impl Future<Output = ()>) {
        let stops = self.stops.notified();
        if self.is_stopping() {
            return;
        }
        tokio::select! {
            () = work => {}
            () = stops => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}

/// Name of the folder itself, however the path is written.
fn folder_name(folder: &Path) -> String {
    let found = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    found.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Marks a response whose bytes are counted already, or static. One with a reservation of its own
/// carries a [`Share`](super::budget::Share) instead.
#[derive(Clone, Copy)]
pub struct IsCounted;

/// Response with a JSON value and a line end.
pub fn json(status: StatusCode, value: &serde_json::Value) -> Reply {
    content(status, "application/json", value.to_string() + "\n")
}

pub fn content(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<bytes::Bytes>,
) -> Reply {
    let mut reply = Response::new(body.into().into());
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    reply
}
