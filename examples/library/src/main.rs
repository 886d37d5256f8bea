//! Prints the report of a data folder, as `uptally report` does.
//!
//! In `examples/library`, after `uptally ingest --data DATA FILES`:
//!
//! ```console
//! $ cargo run --release -- DATA
//! ```

use std::error::Error;
use std::io::Write;
use std::path::Path;

use uptally::engine::{Engine, answer};
use uptally::report::{Format, Layout, render_figures};
use uptally::tables::Dataset;

/// The report from the newest version of the tables in a folder, as CSV: uptime and downtime of each
/// store over the last hour, day and week before the latest poll.
///
/// # Errors
/// Where nothing was loaded into the folder, or it cannot be read.
pub async fn report(data: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let dataset = Dataset::open(data, None).await?.ok_or("no data loaded")?;
    let answered = answer(&dataset, &Default::default(), Engine::DataFusion).await?;
    Ok(render_figures(&answered.figures, Layout::default(), Format::Csv)?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let data = std::env::args_os().nth(1).ok_or("usage: library DATA")?;
    let csv = report(Path::new(&data)).await?;
    Ok(std::io::stdout().write_all(&csv)?)
}
