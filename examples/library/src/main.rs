//! Loads CSV files into a data folder, then prints its report and the rows of a query.
//!
//! In `examples/library`:
//!
//! ```console
//! $ cargo run --release -- DATA ../../data/sample
//! ```

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use uptally::{
    Database, Dataset, Engine, Format, Layout, Limits, LoadControl, LoadRequest, ReportQuery,
    WriteLock, Writer, answer, load, render_figures,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Loads CSV files, and folders of them, as one new version of the tables in a folder.
///
/// # Errors
/// When a file cannot be read or has invalid rows, or the folder cannot be written.
pub async fn load_files(data: &Path, paths: Vec<PathBuf>) -> Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let loaded_at = i64::try_from(now.as_micros())?;
    let request = LoadRequest { paths, loaded_at, ..LoadRequest::default() };
    load(&request, &WriteLock::take(data)?, &LoadControl::default(), |_| Ok(())).await?;
    Ok(())
}

/// Opens the newest version of the tables in a folder.
async fn open(data: &Path) -> Result<Dataset> {
    Ok(Dataset::open(data, None).await?.ok_or("no data loaded")?)
}

/// Returns the report as CSV: uptime and downtime of each store over the last hour, day and week
/// before the latest poll.
///
/// # Errors
/// When nothing was loaded into the folder, or it cannot be read.
pub async fn report(data: &Path) -> Result<Vec<u8>> {
    let query = ReportQuery::default();
    let report = answer(&open(data).await?, &query, Engine::DataFusion).await?;
    Ok(render_figures(&report.figures, Layout::default(), Format::Csv)?)
}

/// Returns the rows of an SQL query as CSV.
///
/// # Errors
/// Same as [`report`], and when the query is invalid or exceeds a limit.
pub async fn query(data: &Path, sql: &str) -> Result<Vec<u8>> {
    let session = Database::new(Limits::default()).session(&open(data).await?)?;
    let plan = session.plan(sql).await?;
    let rows = session.run(plan, session.limits()).await?;
    let mut writer = Writer::new(Format::Csv, &rows.schema())?;
    let (batches, _is_cut) = rows.collect().await?;
    for batch in &batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    Ok(writer.take())
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let data = arguments.next().ok_or("usage: library DATA [CSV]…")?;
    load_files(&data, arguments.collect()).await?;
    let mut output = std::io::stdout().lock();
    output.write_all(&report(&data).await?)?;
    output.write_all(&query(&data, "SELECT count(*) AS stores FROM stores").await?)?;
    Ok(())
}
