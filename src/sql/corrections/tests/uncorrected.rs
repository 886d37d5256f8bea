//! Queries on the engine without corrections, to test that it still has a fault.

use arrow::util::display::array_value_to_string;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

/// First value of the answer as text; its error text if it fails.
pub fn answer(sql: &str) -> Result<String, String> {
    let asked = async {
        let batches = SessionContext::new().sql(sql).await?.collect().await?;
        let batch = batches.iter().find(|batch| batch.num_rows() > 0);
        Ok::<_, DataFusionError>(
            batch.map(|batch| array_value_to_string(batch.column(0), 0).unwrap()),
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(asked).map_err(|error| error.to_string())?.ok_or_else(|| "no row".to_owned())
}
