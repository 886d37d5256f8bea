//! The chain of the scripts: `tests/sql/chain/N` is its Nth load, made on the Nth day from
//! 2023-01-25 on. Small enough that its figures can be checked by hand.

use std::path::Path;

use tempfile::TempDir;
use uptally::{Dataset, LoadControl, LoadRequest, WriteLock, load as ingest};

use crate::harness::DAY_US;

const LOADS: i64 = 3;
/// 2023-01-24.
const DAY_BEFORE_LOADS: i64 = 19_381;

/// Loads the chain into a data folder.
pub async fn load_into(data: &Path) -> Dataset {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql/chain");
    for number in 1..=LOADS {
        let request = LoadRequest {
            paths: vec![folder.join(number.to_string())],
            // One row is invalid and must be in `rejects`.
            max_reject_rate: 1.0,
            loaded_at: (DAY_BEFORE_LOADS + number) * DAY_US,
            ..LoadRequest::default()
        };
        ingest(&request, &WriteLock::take(data).unwrap(), &LoadControl::default(), |_| Ok(()))
            .await
            .unwrap();
    }
    Dataset::open(data, None).await.unwrap().unwrap()
}

/// Data folder of the chain, deleted on drop.
pub async fn load() -> (TempDir, Dataset) {
    let data = TempDir::new().unwrap();
    let dataset = load_into(data.path()).await;
    (data, dataset)
}
