//! Implementation of the Flight SQL calls.

use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, Any, CommandGetCatalogs, CommandGetDbSchemas,
    CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables, CommandGetXdbcTypeInfo,
    CommandPreparedStatementQuery, CommandStatementQuery, CommandStatementUpdate,
    DoPutPreparedStatementResult, SqlInfo,
};
use arrow_flight::{
    Action, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse,
    IpcMessage, SchemaAsIpc, Ticket,
};
use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::super::Service;
use super::super::budget::ROWS_BYTES;
use super::super::queries::{Described, Rows, SqlQuery};
use super::super::request_log::Entry;
use super::bound_values::ValuesReader;
use super::mac::MacKeys;
use super::rows::{self, FlightStream};
use super::statement_handle::PreparedStatement;
use super::{authentication, call_log, metadata, status};
use crate::client::Client;
use crate::limits::Limits;
use crate::sql::Session;

/// Names of calls shared by statements and prepared statements.
const GET_FLIGHT_INFO: &str = "GetFlightInfo";
const DO_GET: &str = "DoGet";

pub struct FlightSql {
    service: Service,
    /// Keys that sign the handles of prepared statements.
    handle_keys: MacKeys,
}

type Answer<T> = Result<T, Status>;

impl FlightSql {
    pub fn new(service: Service, handle_keys: MacKeys) -> Self {
        Self { service, handle_keys }
    }

    fn sign(&self, prepared: &PreparedStatement) -> Answer<Bytes> {
        prepared.to_handle(&self.handle_keys).map_err(status::from_error)
    }

    fn verify(&self, handle: &[u8]) -> Answer<PreparedStatement> {
        PreparedStatement::from_handle(handle, &self.handle_keys).map_err(status::from_error)
    }

    /// Newest version of the data.
    async fn version(&self) -> Answer<u64> {
        let edition = self
            .service
            .snapshots
            .newest()
            .await
            .map_err(|error| status::from_refusal(error.into()))?;
        Ok(edition.version())
    }

    /// Session over the newest version.
    async fn session(&self) -> Answer<Arc<Session>> {
        let session = self.service.queries.session(self.version().await?).await;
        session.map_err(|failure| status::from_error(failure.into()))
    }

    /// Request to run the statement over the newest version.
    async fn question(&self, prepared: &PreparedStatement) -> Answer<SqlQuery> {
        let limits = self.service.queries.limits();
        prepared.question(self.version().await?, limits).map_err(status::from_error)
    }

    async fn describe(&self, prepared: &PreparedStatement) -> Answer<Described> {
        let described = self.service.queries.describe(self.question(prepared).await?).await;
        described.map_err(|failure| status::from_error(failure.into()))
    }

    /// Begins the log entry of a call with a statement.
    fn begin<T>(&self, request: &Request<T>, method: &'static str, sql: &str) -> Entry {
        let mut entry = call_log::begin(&self.service, request.extensions(), method);
        entry.set_sql(sql);
        entry
    }

    /// Schema of the rows, for the call's `FlightInfo`.
    async fn columns(&self, prepared: &PreparedStatement, mut entry: Entry) -> Answer<SchemaRef> {
        let described = self.describe(prepared).await;
        call_log::log_answer(&mut entry, &described);
        Ok(rows::nullable_schema(&described?.columns))
    }

    async fn run(
        &self,
        prepared: &PreparedStatement,
        mut entry: Entry,
    ) -> Answer<Response<FlightStream>> {
        let started = async {
            let share = self.service.compute.budget.take(Client::current(), ROWS_BYTES);
            let share = share.map_err(status::from_error)?;
            Ok::<_, Status>((self.start(prepared).await?, share))
        };
        let started = started.await;
        if started.is_err() {
            call_log::log_answer(&mut entry, &started);
        }
        let ((rows, limits), share) = started?;
        Ok(Response::new(rows::stream(rows, limits, entry, share)))
    }

    /// Starts the statement; returns its rows and the limits that apply.
    async fn start(&self, prepared: &PreparedStatement) -> Answer<(Rows, Limits)> {
        let rows = self.service.queries.run(self.question(prepared).await?).await;
        let rows = rows.map_err(|failure| status::from_error(failure.into()))?;
        Ok((rows, self.service.queries.limits()))
    }
}

/// `FlightInfo` of one endpoint, this server, whose ticket is the command itself.
fn flight_info(
    schema: &Schema,
    request: Request<FlightDescriptor>,
) -> Answer<Response<FlightInfo>> {
    let descriptor = request.into_inner();
    let ticket = Ticket::new(descriptor.cmd.clone());
    let info = FlightInfo::new().try_with_schema(schema).map_err(status::from_arrow)?;
    let endpoint = FlightEndpoint::new().with_ticket(ticket);
    Ok(Response::new(info.with_endpoint(endpoint).with_descriptor(descriptor)))
}

fn batch_response(
    batch: arrow_flight::error::Result<RecordBatch>,
) -> Answer<Response<FlightStream>> {
    Ok(Response::new(rows::from_batch(batch?)))
}

fn schema_bytes(schema: &Schema) -> Answer<Bytes> {
    let message = SchemaAsIpc::new(schema, &IpcWriteOptions::default()).try_into();
    let IpcMessage(bytes) = message.map_err(status::from_arrow)?;
    Ok(bytes)
}

type Handshakes = Pin<Box<dyn Stream<Item = Answer<HandshakeResponse>> + Send>>;

#[tonic::async_trait]
impl FlightSqlService for FlightSql {
    type FlightService = Self;

    /// Returns the key, verified by the interceptor, as a bearer token.
    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Answer<Response<Handshakes>> {
        let key = authentication::presented_key(request.metadata()).unwrap_or_default();
        let reply = HandshakeResponse { protocol_version: 0, payload: key.clone().into() };
        let mut response: Response<Handshakes> =
            Response::new(Box::pin(futures::stream::iter([Ok(reply)])));
        if let Some(bearer) = authentication::bearer_header(&key) {
            response.metadata_mut().insert(authentication::AUTHORIZATION, bearer);
        }
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Answer<Response<FlightInfo>> {
        let entry = self.begin(&request, GET_FLIGHT_INFO, &query.query);
        let columns =
            self.columns(&PreparedStatement { sql: query.query, values: None }, entry).await?;
        flight_info(&columns, request)
    }

    /// Runs the statement of a ticket, which is the command itself.
    async fn do_get_fallback(
        &self,
        request: Request<Ticket>,
        message: Any,
    ) -> Answer<Response<<Self as FlightService>::DoGetStream>> {
        match message.unpack::<CommandStatementQuery>() {
            Ok(Some(query)) => {
                let entry = self.begin(&request, DO_GET, &query.query);
                self.run(&PreparedStatement { sql: query.query, values: None }, entry).await
            }
            _ => Err(Status::unimplemented(format!("unknown ticket type {}", message.type_url))),
        }
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Answer<ActionCreatePreparedStatementResult> {
        let mut entry = self.begin(&request, "CreatePreparedStatement", &query.query);
        let prepared = PreparedStatement { sql: query.query, values: None };
        let described = self.describe(&prepared).await;
        call_log::log_answer(&mut entry, &described);
        let described = described?;
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: self.sign(&prepared)?,
            dataset_schema: schema_bytes(&rows::nullable_schema(&described.columns))?,
            parameter_schema: schema_bytes(&described.parameters)?,
        })
    }

    /// Binds values: returns a new handle that includes them.
    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Answer<DoPutPreparedStatementResult> {
        let mut prepared = self.verify(&query.prepared_statement_handle)?;
        let mut messages = request.into_inner();
        let mut values = ValuesReader::default();
        while let Some(message) = messages.try_next().await? {
            values.take(&message).map_err(status::from_error)?;
        }
        prepared.values = Some(values.finish().map_err(status::from_error)?);
        let handle = self.sign(&prepared)?;
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: Some(handle) })
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Answer<Response<FlightInfo>> {
        let prepared = self.verify(&query.prepared_statement_handle)?;
        let entry = self.begin(&request, GET_FLIGHT_INFO, &prepared.sql);
        let columns = self.columns(&prepared, entry).await?;
        flight_info(&columns, request)
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> Answer<Response<<Self as FlightService>::DoGetStream>> {
        let prepared = self.verify(&query.prepared_statement_handle)?;
        let entry = self.begin(&request, DO_GET, &prepared.sql);
        self.run(&prepared, entry).await
    }

    async fn do_action_close_prepared_statement(
        &self,
        _: ActionClosePreparedStatementRequest,
        _: Request<Action>,
    ) -> Answer<()> {
        Ok(())
    }

    async fn do_put_statement_update(
        &self,
        update: CommandStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Answer<i64> {
        let mut entry = self.begin(&request, "DoPut", &update.query);
        // A valid query is not an update; any other statement fails with its own reason.
        let planned = self.describe(&PreparedStatement { sql: update.query, values: None }).await;
        let refused = planned.map_or_else(
            |refused| refused,
            |_| {
                Status::invalid_argument(
                    "the statement does not update anything; run it as a query",
                )
            },
        );
        entry.answered(call_log::code_name(refused.code()));
        Err(refused)
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Answer<Response<FlightInfo>> {
        flight_info(&query.into_builder().schema(), request)
    }

    async fn do_get_catalogs(
        &self,
        query: CommandGetCatalogs,
        _: Request<Ticket>,
    ) -> Answer<Response<<Self as FlightService>::DoGetStream>> {
        let session = self.session().await?;
        batch_response(metadata::catalogs(&session, query))
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Answer<Response<FlightInfo>> {
        flight_info(&query.into_builder().schema(), request)
    }

    async fn do_get_schemas(
        &self,
        query: CommandGetDbSchemas,
        _: Request<Ticket>,
    ) -> Answer<Response<<Self as FlightService>::DoGetStream>> {
        let session = self.session().await?;
        batch_response(metadata::schemas(&session, query))
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Answer<Response<FlightInfo>> {
        flight_info(&query.into_builder().schema(), request)
    }

    async fn do_get_tables(
        &self,
        query: CommandGetTables,
        _: Request<Ticket>,
    ) -> Answer<Response<<Self as FlightService>::DoGetStream>> {
        let session = self.session().await?;
        batch_response(metadata::tables(&session, query).await)
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Answer<Response<FlightInfo>> {
        flight_info(&query.into_builder().schema(), request)
    }

    async fn do_get_table_types(
        &self,
        query: CommandGetTableTypes,
        _: Request<Ticket>,
    ) -> Answer<Response<<Self as FlightService>::DoGetStream>> {
        batch_response(metadata::table_types(query))
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Answer<Response<FlightInfo>> {
        let info_data = metadata::sql_info(self.service.queries.limits())?;
        flight_info(&query.into_builder(&info_data).schema(), request)
    }

    async fn do_get_sql_info(
        &self,
        query: CommandGetSqlInfo,
        _: Request<Ticket>,
    ) -> Answer<Response<<Self as FlightService>::DoGetStream>> {
        let info_data = metadata::sql_info(self.service.queries.limits())?;
        batch_response(query.into_builder(&info_data).build())
    }

    async fn get_flight_info_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        request: Request<FlightDescriptor>,
    ) -> Answer<Response<FlightInfo>> {
        let types = metadata::xdbc_types()?;
        flight_info(&query.into_builder(&types).schema(), request)
    }

    async fn do_get_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        _: Request<Ticket>,
    ) -> Answer<Response<<Self as FlightService>::DoGetStream>> {
        let types = metadata::xdbc_types()?;
        batch_response(query.into_builder(&types).build())
    }

    /// Ignored: the server information is static.
    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}
