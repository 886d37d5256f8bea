//! Log entries of requests on any listener: lines in the server's log, and in an audit log.
//!
//! Knows no protocol.

use std::net::SocketAddr;
use std::time::Instant;

use super::audit::{AuditLog, Line, Listener, REFUSED_BYTES_MAX, TEXT_BYTES_MAX, cut};
use super::keys::KeyId;
use super::settings::Settings;

/// Status of a request whose client left before the response.
const CLIENT_GONE: &str = "client_gone";

/// Request in progress; logged on drop.
pub struct Entry {
    /// Route's pattern, which reveals less than the path.
    pub route: Option<&'static str>,
    /// `None` until answered.
    status: Option<String>,
    audit: Option<AuditLog>,
    started_at: Instant,
    line: Line,
}

impl Entry {
    /// Starts an entry on arrival of the request.
    pub fn begin(
        settings: &Settings,
        listener: Listener,
        client: Option<SocketAddr>,
        method: impl Into<String>,
    ) -> Self {
        let line = Line {
            at: (settings.clock)(),
            listener,
            client,
            key: None,
            request_id: None,
            method: method.into(),
            path: None,
            sql: None,
            status: String::new(),
            rows: None,
            took_ms: 0.0,
        };
        let (audit, started_at) = (settings.audit.clone(), Instant::now());
        Self { route: None, status: None, audit, started_at, line }
    }

    pub fn set_key(&mut self, key: Option<KeyId>) {
        self.line.key = key;
    }

    pub fn set_request_id(&mut self, id: &str) {
        self.line.request_id = Some(id.to_owned());
    }

    /// Returns true if there is an audit log.
    pub fn is_audited(&self) -> bool {
        self.audit.is_some()
    }

    /// Notes a bounded prefix of the path before the request is admitted.
    pub fn set_asked_path(&mut self, path: &str, query: &str) {
        self.keep_path(path, query, REFUSED_BYTES_MAX);
    }

    /// Notes the path of an admitted request.
    pub fn set_path(&mut self, path: &str, query: &str) {
        self.keep_path(path, query, TEXT_BYTES_MAX);
    }

    fn keep_path(&mut self, path: &str, query: &str, bytes_max: usize) {
        if self.is_audited() {
            let separator = if query.is_empty() { "" } else { "?" };
            self.line.path = Some(cut(&format!("{path}{separator}{query}"), bytes_max));
        }
    }

    pub fn set_sql(&mut self, sql: &str) {
        if self.is_audited() {
            self.line.sql = Some(cut(sql, TEXT_BYTES_MAX));
        }
    }

    #[cfg(any(feature = "flight", feature = "postgres"))]
    pub fn count_rows(&mut self, rows: usize) {
        *self.line.rows.get_or_insert(0) += rows as u64;
    }

    /// Notes the status, unless there is one already.
    pub fn answered(&mut self, status: impl Into<String>) {
        self.status.get_or_insert_with(|| status.into());
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let took = self.started_at.elapsed();
        let line = &mut self.line;
        line.status = self.status.take().unwrap_or_else(|| CLIENT_GONE.to_owned());
        line.took_ms = took.as_micros() as f64 / 1000.0;
        tracing::info!(
            request_id = line.request_id.as_deref(),
            listener = line.listener.name(),
            client = line.client.map(tracing::field::display),
            key = line.key.map(tracing::field::display),
            method = line.method.as_str(),
            route = self.route,
            status = line.status.as_str(),
            rows = line.rows,
            took_us = took.as_micros() as u64,
            "answered"
        );
        if let Some(audit) = &self.audit {
            audit.write(line.clone());
        }
    }
}
