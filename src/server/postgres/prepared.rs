//! Prepared statements. Each execution reads the newest version of the data.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion_postgres::pgwire::api::portal::{Format, Portal};
use datafusion_postgres::pgwire::api::results::FieldInfo;
use datafusion_postgres::pgwire::api::stmt::QueryParser;
use datafusion_postgres::pgwire::api::{ClientInfo, Type};
use datafusion_postgres::pgwire::error::PgWireResult;

use super::failure::{self, error};
use super::message_log;
use super::planner::Planner;
use super::rows;
use super::statement::Command;
use super::worker_planner::StatementContext;

pub enum Prepared {
    Query(Box<PreparedQuery>),
    Command(Command),
}

impl Prepared {
    /// Text for the request log; of a command, its tag.
    pub fn text(&self) -> &str {
        match self {
            Self::Query(query) => &query.text,
            Self::Command(Command::Set(..)) => "SET",
            Self::Command(Command::Begin) => "BEGIN",
            Self::Command(Command::End(tag) | Command::NoOp(tag)) => tag,
            Self::Command(Command::Deallocate(Some(_))) => "DEALLOCATE",
            Self::Command(Command::Deallocate(None)) => "DEALLOCATE ALL",
            Self::Command(Command::Discard) => "DISCARD ALL",
        }
    }
}

pub struct PreparedQuery {
    text: String,
    context: StatementContext,
    sent_as: Vec<Type>,
    columns: SchemaRef,
}

impl PreparedQuery {
    /// Context with the values of a portal, and their bytes.
    pub fn bind<S: Clone>(&self, portal: &Portal<S>) -> (StatementContext, Bytes) {
        self.context.bind(portal)
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Planner {
    async fn parse(
        &self,
        client: &impl ClientInfo,
        text: &str,
        hints: &[Option<Type>],
    ) -> PgWireResult<Option<Arc<Prepared>>> {
        let mut statements = self.read(text).await?.into_iter();
        let (Some(first), None) = (statements.next(), statements.next()) else {
            return match text.trim_matches([';', ' ', '\n', '\t', '\r']).is_empty() {
                true => Ok(None),
                false => Err(error("42601", "cannot prepare several statements at once; send one")),
            };
        };
        if let Some(command) = first {
            return Ok(Some(Arc::new(Prepared::Command(command))));
        }
        let context = StatementContext::new(0, client, hints);
        let question = self.question(client, text, context.clone(), Bytes::new()).await?;
        let described = self.service.queries.describe(question).await;
        let described = described.map_err(failure::from_failure)?;
        let sent_as = described.sent_as.into_iter();
        let sent_as = sent_as.map(|oid| Type::from_oid(oid).unwrap_or(Type::UNKNOWN)).collect();
        let (text, columns) = (text.to_owned(), described.columns);
        let query = PreparedQuery { text, context, sent_as, columns };
        Ok(Some(Arc::new(Prepared::Query(Box::new(query)))))
    }
}

#[async_trait]
impl QueryParser for Planner {
    type Statement = Arc<Prepared>;

    async fn parse_sql<C>(
        &self,
        client: &C,
        text: &str,
        hints: &[Option<Type>],
    ) -> PgWireResult<Option<Arc<Prepared>>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let mut entry = message_log::begin_sql(&self.service, client, "Parse", text)?;
        let parsed = self.parse(client, text, hints).await;
        match &parsed {
            Ok(_) => message_log::log_answer(&mut entry, &Ok(None)),
            Err(failed) => message_log::log_failure(&mut entry, failed),
        }
        parsed
    }

    fn get_parameter_types(&self, prepared: &Arc<Prepared>) -> PgWireResult<Vec<Type>> {
        Ok(match prepared.as_ref() {
            Prepared::Command(_) => Vec::new(),
            Prepared::Query(query) => query.sent_as.clone(),
        })
    }

    fn get_result_schema(
        &self,
        prepared: &Arc<Prepared>,
        format: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        let none = Schema::empty();
        let columns = match prepared.as_ref() {
            Prepared::Command(_) => &none,
            Prepared::Query(query) => query.columns.as_ref(),
        };
        rows::columns(columns, format.unwrap_or(&Format::UnifiedText), None)
    }
}
