//! Tests of whole statements, beside those of each module, and sessions for both.

mod function_examples;
mod limits;

use std::path::PathBuf;

use tempfile::TempDir;

use super::{Database, Session};
use crate::error::{Error, Limit, Result};
use crate::generate::{DEFAULT_END_US, Spec, generate};
use crate::ingest::{LoadControl, LoadRequest, load};
use crate::limits::Limits;
use crate::tables::{Dataset, WriteLock};

/// A session over CSV files, valid as long as the folder of their tables.
async fn session_over(files: PathBuf, limits: Limits) -> (TempDir, Session) {
    let data = tempfile::tempdir().unwrap();
    let lock = WriteLock::take(data.path()).unwrap();
    let (paths, max_reject_rate, loaded_at) = (vec![files], 0.01, DEFAULT_END_US);
    let request = LoadRequest { paths, max_reject_rate, loaded_at, ..LoadRequest::default() };
    load(&request, &lock, &LoadControl::default(), |_| Ok(())).await.unwrap();
    let dataset = Dataset::open(data.path(), None).await.unwrap().unwrap();
    (data, Database::new(limits).session(&dataset).unwrap())
}

/// A session over a small generated chain, valid as long as the folder.
pub async fn session(limits: Limits) -> (TempDir, Session) {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    let spec = Spec { stores: 20, days: 2, seed: 5, ends_at_us: DEFAULT_END_US };
    generate(&spec, &files).unwrap();
    session_over(files, limits).await
}

/// Number of the rows of a query over the generated chain, and whether they were truncated.
pub async fn asked(limits: Limits, sql: &str) -> Result<(usize, bool)> {
    let (_folder, session) = session(limits).await;
    let rows = session.run(session.plan(sql).await?, limits).await?;
    let (batches, is_cut) = rows.collect().await?;
    Ok((batches.iter().map(|batch| batch.num_rows()).sum(), is_cut))
}

/// True if the error is of the limit, with the words.
pub fn exceeds(error: &Error, limit: Limit, words: &str) -> bool {
    let Error::Limit(exceeded) = error else { return false };
    exceeded.limit == limit && exceeded.sentence.contains(words)
}
