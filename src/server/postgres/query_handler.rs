//! Handlers of the simple query protocol (a text of statements) and the extended one (parse, bind,
//! execute).

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion_postgres::pgwire::api::portal::{Format, Portal, PortalExecutionState};
use datafusion_postgres::pgwire::api::query::{
    ExtendedQueryHandler, SimpleQueryHandler, send_describe_response, send_ready_for_query,
};
use datafusion_postgres::pgwire::api::results::{
    DescribePortalResponse, QueryResponse, Response, Tag,
};
use datafusion_postgres::pgwire::api::store::{Entry, PortalStore};
use datafusion_postgres::pgwire::api::{
    ClientInfo, ClientPortalStore, ConnectionHandle, DEFAULT_NAME, PgWireConnectionState,
};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage as Message;
use datafusion_postgres::pgwire::messages::extendedquery::{
    Bind, BindComplete, Close, CloseComplete, Execute, Parse, ParseComplete, PortalSuspended,
    Sync as PgSync, TARGET_TYPE_BYTE_STATEMENT,
};
use datafusion_postgres::pgwire::messages::response::{EmptyQueryResponse, TransactionStatus};
use datafusion_postgres::pgwire::messages::simplequery::Query;
use futures::{Sink, SinkExt, StreamExt};

use super::super::Service;
use super::commands::{check_transaction, run_command};
use super::idle_sessions::IdleSessions;
use super::message_log;
use super::planner::Planner;
use super::prepared::Prepared;
use super::rows::{self, WARNING};
use super::session_resources;
use super::suspended_portal::{SuspendedPortal, suspended_time};
use super::worker_planner::StatementContext;

pub struct QueryHandler(Arc<Planner>);

impl QueryHandler {
    pub fn new(service: Service, idle: IdleSessions) -> Self {
        Self(Arc::new(Planner { service, idle }))
    }

    /// Runs the statements of a text in sequence. Returns the number of rows sent, or `None` if no
    /// statement returns rows.
    async fn answer_all<C>(&self, client: &mut C, text: &str) -> PgWireResult<Option<usize>>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let all = self.0.read(text).await?;
        let mut rows_sent = None;
        if all.is_empty() {
            client.feed(Message::EmptyQueryResponse(EmptyQueryResponse::new())).await?;
        }
        for (index, command) in all.iter().enumerate() {
            if let Some(command) = command {
                let tag = run_command(client, command).await?;
                client.feed(Message::CommandComplete(tag.into())).await?;
                continue;
            }
            check_transaction(client)?;
            let context = StatementContext::new(index, client, &[]);
            let question = self.0.question(client, text, context, Bytes::new()).await?;
            let answer = rows::run(&self.0, question, client, &Format::default()).await?;
            let mut rows = answer.rows;
            let fields = rows.row_schema().as_ref().clone();
            send_describe_response(client, &DescribePortalResponse::new(fields)).await?;
            let (sent, _) = send_rows(client, &mut rows, usize::MAX).await?;
            *rows_sent.get_or_insert(0) += sent;
            let tag = Tag::new("SELECT").with_rows(sent);
            client.feed(Message::CommandComplete(tag.into())).await?;
        }
        Ok(rows_sent)
    }

    /// Executes or resumes a portal, up to `rows_max` rows. Returns the number of rows sent, or
    /// `None` for a command.
    async fn execute<C>(
        &self,
        client: &mut C,
        portal: &Portal<Arc<Prepared>>,
        rows_max: usize,
    ) -> PgWireResult<Option<usize>>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Arc<Prepared>>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let mut deliveries =
            session_resources::resume_portal(client, &portal.name).map(SuspendedPortal::resume);
        let state = portal.state();
        let mut state = state.lock().await;
        if matches!(*state, PortalExecutionState::Initial) {
            match self.start(client, portal).await? {
                Started::Rows(answer) => {
                    *state = PortalExecutionState::Suspended(answer.rows);
                    deliveries = Some(answer.deliveries);
                }
                Started::Command(tag) => {
                    *state = PortalExecutionState::Finished;
                    client.feed(Message::CommandComplete(tag.into())).await?;
                    return Ok(None);
                }
            }
        }
        let (sent, is_over) = match &mut *state {
            PortalExecutionState::Suspended(rows) => send_rows(client, rows, rows_max).await?,
            _ => (0, true),
        };
        if !is_over {
            if let Some(deliveries) = deliveries {
                let time = suspended_time(&self.0.service.settings);
                let suspended = SuspendedPortal::new(portal.state(), deliveries, time);
                session_resources::suspend_portal(client, &portal.name, suspended);
            }
            client.feed(Message::PortalSuspended(PortalSuspended::new())).await?;
            return Ok(Some(sent));
        }
        *state = PortalExecutionState::Finished;
        let tag = Tag::new("SELECT").with_rows(sent);
        client.feed(Message::CommandComplete(tag.into())).await?;
        Ok(Some(sent))
    }

    /// Runs a command, or starts a query over the newest version.
    async fn start<C>(
        &self,
        client: &mut C,
        portal: &Portal<Arc<Prepared>>,
    ) -> PgWireResult<Started>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Arc<Prepared>>,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        match portal.statement.statement.as_ref() {
            Prepared::Command(command) => Ok(Started::Command(run_command(client, command).await?)),
            Prepared::Query(query) => {
                check_transaction(client)?;
                let (context, values) = query.bind(portal);
                let question = self.0.question(client, query.text(), context, values).await?;
                let format = &portal.result_column_format;
                Ok(Started::Rows(rows::run(&self.0, question, client, format).await?))
            }
        }
    }
}

/// Result of starting a portal.
enum Started {
    Rows(rows::RowStream),
    Command(Tag),
}

/// Sends up to `rows_max` rows; returns their number, and true if the result is exhausted.
async fn send_rows<C>(
    client: &mut C,
    rows: &mut QueryResponse,
    rows_max: usize,
) -> PgWireResult<(usize, bool)>
where
    C: Sink<Message> + Unpin,
    PgWireError: From<<C as Sink<Message>>::Error>,
{
    let mut sent = 0;
    while sent < rows_max {
        match rows.data_rows().next().await {
            Some(Ok(row)) => {
                client.feed(Message::DataRow(row)).await?;
                sent += 1;
            }
            Some(Err(PgWireError::UserError(notice))) if notice.severity == WARNING => {
                client.feed(Message::NoticeResponse((*notice).into())).await?;
            }
            Some(Err(failed)) => return Err(failed),
            None => return Ok((sent, true)),
        }
    }
    Ok((sent, false))
}

/// Runs `work` until a cancel request arrives on another connection.
async fn unless_cancelled<T>(
    handle: Option<Arc<ConnectionHandle>>,
    work: impl Future<Output = PgWireResult<T>>,
) -> PgWireResult<T> {
    let Some(handle) = handle else { return work.await };
    let cancelled = handle.start_query().await;
    tokio::select! {
        done = work => done,
        _ = cancelled => Err(PgWireError::QueryCanceled),
    }
}

fn start_query(client: &mut impl ClientInfo) -> PgWireResult<Option<Arc<ConnectionHandle>>> {
    if !matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
        return Err(PgWireError::NotReadyForQuery);
    }
    client.set_state(PgWireConnectionState::QueryInProgress);
    let handle = client.session_extensions().get::<Arc<ConnectionHandle>>();
    Ok(handle.as_deref().cloned())
}

#[async_trait]
impl SimpleQueryHandler for QueryHandler {
    async fn on_query<C>(&self, client: &mut C, query: Query) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let handle = start_query(client)?;
        let mut entry = message_log::begin_sql(&self.0.service, client, "Query", &query.query)?;
        let answer = unless_cancelled(handle, self.answer_all(client, &query.query)).await;
        message_log::log_answer(&mut entry, &answer);
        answer?;
        client.set_state(PgWireConnectionState::ReadyForQuery);
        let status = client.transaction_status();
        if status == TransactionStatus::Idle {
            session_resources::close_portals(client);
        }
        send_ready_for_query(client, status).await
    }

    /// Sends each answer before the next statement runs, so that none is left to return.
    async fn do_query<C>(&self, client: &mut C, text: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        self.answer_all(client, text).await?;
        Ok(Vec::new())
    }
}

#[async_trait]
impl ExtendedQueryHandler for QueryHandler {
    type Statement = Arc<Prepared>;
    type QueryParser = Planner;

    fn query_parser(&self) -> Arc<Planner> {
        Arc::clone(&self.0)
    }

    /// Prepares a statement within the session's limits.
    async fn on_parse<C>(&self, client: &mut C, message: Parse) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Arc<Prepared>>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        session_resources::parse(client, self.query_parser(), &message).await?;
        client.send(Message::ParseComplete(ParseComplete::new())).await?;
        Ok(())
    }

    /// Creates a portal within the session's limits.
    async fn on_bind<C>(&self, client: &mut C, message: Bind) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Arc<Prepared>>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        session_resources::bind(client, &self.0, &message).await?;
        client.send(Message::BindComplete(BindComplete::new())).await?;
        Ok(())
    }

    async fn on_close<C>(&self, client: &mut C, message: Close) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Arc<Prepared>>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        match message.target_type {
            TARGET_TYPE_BYTE_STATEMENT => session_resources::deallocate(client, Some(name)),
            _ => session_resources::close_portal(client, name),
        }
        client.send(Message::CloseComplete(CloseComplete::new())).await?;
        Ok(())
    }

    /// Ends an implicit transaction, and closes its portals.
    async fn on_sync<C>(&self, client: &mut C, _: PgSync) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Arc<Prepared>>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let status = client.transaction_status();
        if status == TransactionStatus::Idle {
            session_resources::close_portals(client);
        }
        session_resources::close_portal(client, DEFAULT_NAME);
        send_ready_for_query(client, status).await
    }

    async fn on_execute<C>(&self, client: &mut C, message: Execute) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Arc<Prepared>>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        let handle = start_query(client)?;
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        let rows_max = usize::try_from(message.max_rows).ok().filter(|rows| *rows > 0);
        match client.portal_store().get_portal(name) {
            Some(Entry::Value(portal)) => {
                let text = portal.statement.statement.text();
                let mut entry = message_log::begin_sql(&self.0.service, client, "Execute", text)?;
                let work = self.execute(client, &portal, rows_max.unwrap_or(usize::MAX));
                let answer = unless_cancelled(handle, work).await;
                message_log::log_answer(&mut entry, &answer);
                answer?;
            }
            Some(Entry::Empty) => {
                client.feed(Message::EmptyQueryResponse(EmptyQueryResponse::new())).await?;
            }
            None => return Err(PgWireError::PortalNotFound(name.to_owned())),
        }
        client.set_state(PgWireConnectionState::ReadyForQuery);
        Ok(())
    }

    async fn do_query<C>(
        &self,
        client: &mut C,
        portal: &Portal<Arc<Prepared>>,
        _: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Arc<Prepared>>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<Message>>::Error>,
    {
        Ok(match self.start(client, portal).await? {
            Started::Rows(answer) => Response::Query(answer.rows),
            Started::Command(tag) => Response::Execution(tag),
        })
    }
}
