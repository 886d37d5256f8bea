//! Adds PostgreSQL's system tables and functions to sessions.
//!
//! Object identifiers (OIDs) are stable across versions of the data and across processes: clients
//! read an OID in one query and look it up in another.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion_postgres::pgwire::error::PgWireResult;

use super::failure;
use super::system::SystemTables;
use crate::sql::{PlannedStatement, Session};

#[derive(Default)]
pub struct SessionSetup {
    system_tables: Arc<SystemTables>,
}

impl SessionSetup {
    /// Adds the system tables and functions, and makes errors carry positions.
    ///
    /// # Errors
    /// When the catalog of the session cannot be extended.
    pub fn equip(&self, context: &SessionContext) -> datafusion::error::Result<()> {
        context.state_ref().write().config_mut().options_mut().sql_parser.collect_spans = true;
        self.system_tables.add_to(context)
    }
}

/// Plans a query by the first of its readings that can be planned.
///
/// # Errors
/// When none can be; the error refers to the text as the client wrote it.
pub async fn plan(
    session: &Session,
    readings: &[Statement],
    text: &str,
) -> PgWireResult<PlannedStatement> {
    let mut first_error: Option<DataFusionError> = None;
    for reading in readings {
        match session.plan_statement(reading.clone()).await.map_err(failure::from_error)? {
            Ok(planned) => return Ok(planned),
            Err(error) => {
                // Report the first error; it belongs to the most likely reading.
                first_error.get_or_insert(error);
            }
        }
    }
    Err(match first_error {
        Some(wrong) => failure::from_planning_error(wrong, text),
        None => failure::error("42601", "there is no statement; send one"),
    })
}
