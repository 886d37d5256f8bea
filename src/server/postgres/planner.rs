//! Requests for statements, within the limits of their session.

use bytes::Bytes;
use datafusion_postgres::pgwire::api::ClientInfo;
use datafusion_postgres::pgwire::error::PgWireResult;

use super::super::{Service, queries};
use super::failure;
use super::idle_sessions::IdleSessions;
use super::settings::statement_time;
use super::statement::{Command, Outline};
use super::worker_planner::StatementContext;
use crate::limits::Limits;

/// Sends clients' statements to a worker to be parsed, described and run.
pub struct Planner {
    pub service: Service,
    pub idle: IdleSessions,
}

impl Planner {
    /// Parses a text into its statements: commands, or `None` for queries.
    ///
    /// # Errors
    /// On a syntax error, with its position.
    pub async fn read(&self, text: &str) -> PgWireResult<Vec<Option<Command>>> {
        let read = self.service.queries.read(text).await.map_err(failure::from_failure)?;
        Ok(read.into_iter().map(Outline::into_command).collect())
    }

    /// Builds the request for a statement over the newest version, within the session's limits.
    ///
    /// # Errors
    /// When no data is loaded, or the tables cannot be read.
    pub async fn question(
        &self,
        client: &impl ClientInfo,
        text: &str,
        context: StatementContext,
        bytes: Bytes,
    ) -> PgWireResult<queries::SqlQuery> {
        let limits = self.limits(client);
        let edition = self
            .service
            .snapshots
            .newest()
            .await
            .map_err(|error| failure::from_refusal(error.into()))?;
        let question = queries::SqlQuery::new(edition.version(), text, limits);
        Ok(question.with_postgres_form(context, bytes))
    }

    /// Limits of a statement, with the session's `statement_timeout`.
    pub fn limits(&self, client: &impl ClientInfo) -> Limits {
        self.service.queries.limits().at_most(statement_time(client.metadata()), None)
    }
}
