//! Chains that the benches share: made once by the generator with a fixed seed, then kept.

use std::path::{Path, PathBuf};

use tokio::runtime::Runtime;
use uptally::internals::generate::{DEFAULT_END_US, Spec, generate};
use uptally::{LoadControl, LoadOutcome, LoadRequest, WriteLock, load};

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads start")
}

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// The CSV files of a chain.
pub fn csv_of(stores: u32, days: u32) -> PathBuf {
    let folder = kept(&format!("csv-{stores}-stores-{days}-days"));
    if !folder.is_dir() {
        let spec = Spec { stores, days, seed: 1, ends_at_us: DEFAULT_END_US };
        let unfinished = folder.with_extension("unfinished");
        generate(&spec, &unfinished).expect("there is room for the chain");
        std::fs::rename(&unfinished, &folder).expect("the folder can be renamed");
    }
    folder
}

/// The tables of a chain.
#[allow(dead_code, reason = "one bench has no use for them")]
pub fn tables_of(stores: u32, days: u32) -> PathBuf {
    let folder = kept(&format!("tables-{stores}-stores-{days}-days"));
    if !folder.is_dir() {
        let csv = csv_of(stores, days);
        let unfinished = folder.with_extension("unfinished");
        let _ = std::fs::remove_dir_all(&unfinished);
        ingest(&csv, &unfinished);
        std::fs::rename(&unfinished, &folder).expect("the folder can be renamed");
        // A year of polls as text is ten times its tables.
        let _ = std::fs::remove_dir_all(&csv);
    }
    folder
}

/// Loads a folder of CSV files into another of tables.
pub fn ingest(csv: &Path, tables: &Path) -> LoadOutcome {
    let request = LoadRequest {
        paths: vec![csv.to_path_buf()],
        loaded_at: DEFAULT_END_US,
        ..LoadRequest::default()
    };
    let lock = WriteLock::take(tables).expect("the tables can be written");
    runtime()
        .block_on(load(&request, &lock, &LoadControl::default(), |_| Ok(())))
        .expect("the chain is sound")
}
