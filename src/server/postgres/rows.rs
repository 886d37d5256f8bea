//! Rows on their way to a PostgreSQL client.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema};
use datafusion::logical_expr::LogicalPlan;
use datafusion_postgres::arrow_pg::datatypes::{arrow_schema_to_pg_fields, encode_recordbatch};
use datafusion_postgres::pgwire::api::ClientInfo;
use datafusion_postgres::pgwire::api::portal::Format;
use datafusion_postgres::pgwire::api::results::{FieldInfo, QueryResponse};
use datafusion_postgres::pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::data::DataRow;
use datafusion_postgres::pgwire::types::format::FormatOptions;
use futures::StreamExt;

use super::failure::{self, error};
use super::settings::statement_time;
use crate::sql::Session;

pub type Answer = QueryResponse;

/// The severity of what is told after the rows and is no failure of them.
pub const WARNING: &str = "WARNING";

/// The rows of a plan, as they come; dropped, they end the query.
pub async fn run(
    session: &Session,
    plan: LogicalPlan,
    client: &impl ClientInfo,
    format: &Format,
) -> PgWireResult<Answer> {
    let limits = session.limits().at_most(statement_time(client.metadata()), None);
    let options = Arc::new(FormatOptions::from_client_metadata(client.metadata()));
    let rows = session.run(plan, limits).await.map_err(failure::of)?;
    let columns = Arc::new(columns(&rows.schema(), format, Some(options))?);
    let cut = rows.cut();
    let end = futures::stream::once(async move { cut.is_cut().then(|| told_as_cut(limits.rows)) });
    let encoded = rows.flat_map({
        let columns = Arc::clone(&columns);
        move |batch| {
            let rows: Box<dyn Iterator<Item = PgWireResult<DataRow>> + Send> = match batch {
                Ok(batch) => encode_recordbatch(Arc::clone(&columns), batch),
                Err(failed) => Box::new(std::iter::once(Err(failure::of(failed)))),
            };
            futures::stream::iter(rows)
        }
    });
    let told = end.filter_map(|told| async { told.map(Err) });
    Ok(QueryResponse::new(columns, encoded.chain(told)))
}

/// How columns cross, in the format that the client asks for.
///
/// # Errors
/// Where one is of a type that the protocol does not know.
pub fn columns(
    schema: &Schema,
    format: &Format,
    options: Option<Arc<FormatOptions>>,
) -> PgWireResult<Vec<FieldInfo>> {
    if let Format::Individual(formats) = format
        && formats.len() != schema.fields().len()
    {
        let (asked, there) = (formats.len(), schema.fields().len());
        return Err(error("08P01", format!("{asked} formats are given for {there} columns")));
    }
    arrow_schema_to_pg_fields(schema, format, options).map_err(|wrong| {
        let alone = |field: &FieldRef| Schema::new(vec![Arc::clone(field)]);
        let is_unknown = |field: &&FieldRef| {
            arrow_schema_to_pg_fields(&alone(field), &Format::UnifiedText, None).is_err()
        };
        match schema.fields().iter().find(is_unknown) {
            Some(field) => error(
                "0A000",
                format!(
                    "column {:?} is of a type that PostgreSQL has not; expected another, as of a cast",
                    field.name()
                ),
            ),
            None => wrong,
        }
    })
}

fn told_as_cut(rows: usize) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new(
        WARNING.into(),
        "01004".into(),
        format!(
            "there are more rows than {rows}, the limit of rows (--sql-rows); they were cut off"
        ),
    )))
}
