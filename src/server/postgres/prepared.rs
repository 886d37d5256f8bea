//! Statements that are prepared once and run as often as the client likes, each time over the
//! newest data.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use datafusion_postgres::pgwire::api::portal::{Format, Portal};
use datafusion_postgres::pgwire::api::results::FieldInfo;
use datafusion_postgres::pgwire::api::stmt::QueryParser;
use datafusion_postgres::pgwire::api::{ClientInfo, Type};
use datafusion_postgres::pgwire::error::PgWireResult;

use super::super::Service;
use super::dialect::Client;
use super::failure::{self, error, of_planning};
use super::messages;
use super::parameters::{self, Parameter};
use super::rows;
use super::sessions::{self, Sessions};
use super::statement::{Command, Reader, Said, asked};
use crate::sql::{Planned, Session};

pub enum Prepared {
    Question(Box<Question>),
    Command(Command),
}

impl Prepared {
    /// The text, or what of it matters, for logs.
    pub fn text(&self) -> &str {
        match self {
            Self::Question(question) => &question.text,
            Self::Command(Command::Set(..)) => "SET",
            Self::Command(Command::Begin) => "BEGIN",
            Self::Command(Command::End(tag) | Command::Nothing(tag)) => tag,
            Self::Command(Command::Deallocate(Some(_))) => "DEALLOCATE",
            Self::Command(Command::Deallocate(None)) => "DEALLOCATE ALL",
            Self::Command(Command::Discard) => "DISCARD ALL",
        }
    }
}

pub struct Question {
    text: String,
    readings: Vec<Statement>,
    /// Over the data as it was when the question was prepared.
    session: Arc<Session>,
    planned: Planned,
    parameters: Vec<Parameter>,
    columns: SchemaRef,
}

/// Reads and plans what clients say.
pub struct Planner {
    pub service: Service,
    pub reader: Reader,
    sessions: Sessions,
}

impl Planner {
    pub fn over(service: Service) -> Self {
        let sessions = Sessions::over(service.clone());
        Self { service, reader: Reader::new(), sessions }
    }

    pub async fn plan(
        &self,
        readings: &[Statement],
        text: &str,
    ) -> PgWireResult<(Arc<Session>, Planned)> {
        let session = self.sessions.newest().await?;
        let planned = sessions::plan(&session, readings, text).await?;
        Ok((session, planned))
    }

    /// The plan of a question with the values of its parameters, over the newest data.
    pub async fn bound<S: Clone>(
        &self,
        question: &Question,
        portal: &Portal<S>,
    ) -> PgWireResult<(Arc<Session>, LogicalPlan)> {
        let session = self.sessions.newest().await?;
        let is_current = Arc::ptr_eq(&session, &question.session) && question.planned.is_lasting;
        let plan = match is_current {
            true => question.planned.plan.clone(),
            false => sessions::plan(&session, &question.readings, &question.text).await?.plan,
        };
        let values = parameters::bound(portal, &question.parameters, session.zones())?;
        let plan = Session::bind(plan, values).map_err(failure::of)?;
        Ok((session, plan))
    }

    async fn parse(
        &self,
        client: &impl ClientInfo,
        text: &str,
        hints: &[Option<Type>],
    ) -> PgWireResult<Option<Arc<Prepared>>> {
        let mut said = self.reader.read(text)?.into_iter();
        let (Some(first), None) = (said.next(), said.next()) else {
            return match text.trim_matches([';', ' ', '\n', '\t', '\r']).is_empty() {
                true => Ok(None),
                false => Err(error("42601", "expected one statement to prepare")),
            };
        };
        if let Said::Command(command) = first {
            return Ok(Some(Arc::new(Prepared::Command(command))));
        }
        let who = Client { set: client.metadata(), types: hints };
        let Some(readings) = asked(first, &who)? else { return Ok(None) };
        let question = self.prepare(text, readings, hints).await?;
        Ok(Some(Arc::new(Prepared::Question(Box::new(question)))))
    }

    async fn prepare(
        &self,
        text: &str,
        readings: Vec<Statement>,
        hints: &[Option<Type>],
    ) -> PgWireResult<Question> {
        let (session, planned) = self.plan(&readings, text).await?;
        let parameters = parameters::of(&planned.plan, hints, text)?;
        let typed = planned.plan.clone().with_param_values(parameters::nulls(&parameters)?);
        let typed = typed.map_err(|wrong| of_planning(wrong, text))?;
        let columns = session.columns(typed);
        Ok(Question { text: text.to_owned(), readings, session, planned, parameters, columns })
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
        let mut entry = messages::begin_sql(&self.service, client, "Parse", text)?;
        let parsed = self.parse(client, text, hints).await;
        match &parsed {
            Ok(_) => messages::answered(&mut entry, &Ok(None)),
            Err(failed) => messages::refused(&mut entry, failed),
        }
        parsed
    }

    fn get_parameter_types(&self, prepared: &Arc<Prepared>) -> PgWireResult<Vec<Type>> {
        Ok(match prepared.as_ref() {
            Prepared::Command(_) => Vec::new(),
            Prepared::Question(question) => {
                question.parameters.iter().map(|parameter| parameter.sent_as.clone()).collect()
            }
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
            Prepared::Question(question) => question.columns.as_ref(),
        };
        rows::columns(columns, format.unwrap_or(&Format::UnifiedText), None)
    }
}
