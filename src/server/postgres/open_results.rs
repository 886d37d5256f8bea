//! Limit on the open results of a connection.

use std::sync::Arc;

use datafusion_postgres::pgwire::api::ClientInfo;
use datafusion_postgres::pgwire::error::PgWireResult;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::budget::{Budget, ROWS_BYTES, Share};
use super::failure::{self, error};
use crate::client::Client;

/// Limit of results that were not read to their end; each buffers rows.
const OPEN_RESULTS_MAX: usize = 8;

struct OpenResults(Arc<Semaphore>);

impl OpenResults {
    fn new() -> Self {
        Self(Arc::new(Semaphore::new(OPEN_RESULTS_MAX)))
    }

    fn take(&self) -> PgWireResult<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            error(
                "53400",
                format!(
                    "a connection may have at most {OPEN_RESULTS_MAX} open results; close unused portals"
                ),
            )
        })
    }
}

/// Permit and memory of an open result, released on drop.
pub struct OpenResult {
    _permit: OwnedSemaphorePermit,
    _share: Share,
}

/// Opens a result.
///
/// # Errors
/// When too many are open (53400), or the memory budget is exhausted (53000).
pub fn open_result(client: &impl ClientInfo, budget: &Arc<Budget>) -> PgWireResult<OpenResult> {
    let permit = client.session_extensions().get_or_insert_with(OpenResults::new).take()?;
    let share = budget.take(Client::current(), ROWS_BYTES).map_err(failure::from_error)?;
    Ok(OpenResult { _permit: permit, _share: share })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_may_open_more_results_once_one_is_closed() {
        let open = OpenResults::new();
        let mut answers: Vec<_> = (0..OPEN_RESULTS_MAX).map(|_| open.take().unwrap()).collect();
        let refused = open.take().unwrap_err().to_string();
        assert!(refused.contains("53400") && refused.contains("8 open results"), "{refused}");
        answers.pop();
        assert!(open.take().is_ok());
    }
}
