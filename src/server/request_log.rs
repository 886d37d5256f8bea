//! Requests as they are logged, by whichever listener they came: a line in the log of the server, and
//! one in the audit log where there is one.
//!
//! Knows no protocol.

use std::net::SocketAddr;
use std::time::Instant;

use super::audit::{AuditLog, Line, Listener, REFUSED_BYTES_MAX, TEXT_BYTES_MAX, cut};
use super::keys::KeyId;
use super::settings::Settings;

/// The status of a request whose client did not wait for the answer.
const CLIENT_GONE: &str = "client_gone";

/// A request that is being answered; logged when it is dropped.
pub struct Entry {
    /// The path of the route, which tells less than the path.
    pub route: Option<&'static str>,
    /// `None` while it is not answered.
    status: Option<String>,
    audit: Option<AuditLog>,
    started_at: Instant,
    line: Line,
}

impl Entry {
    /// Begins when the request has come.
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

    /// Whether anybody wants to know more than the log of the server tells.
    pub fn is_audited(&self) -> bool {
        self.audit.is_some()
    }

    /// What is kept of a path before the request is let in.
    pub fn set_asked_path(&mut self, path: &str, query: &str) {
        self.keep_path(path, query, REFUSED_BYTES_MAX);
    }

    /// Of a request that was let in.
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

    /// The request was answered so, unless it was said before how.
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
