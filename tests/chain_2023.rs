//! A real chain's hours and zones and 1.8 million polls: hand-checked figures of a dozen stores.
//!
//! The files are not part of the repository: the test runs only when asked for (`--ignored`), over the
//! folder that `UPTALLY_CHAIN_2023` names.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::harness::{printed, uptally};

/// The folder of the files.
#[track_caller]
fn chain() -> PathBuf {
    let folder = std::env::var_os("UPTALLY_CHAIN_2023").map(PathBuf::from);
    let folder = folder.filter(|folder| folder.is_dir());
    folder.expect("UPTALLY_CHAIN_2023 names the folder of the files of chain-2023")
}

#[test]
#[ignore = "needs the files of chain-2023, which are not in the repository"]
fn the_real_chain_has_the_hand_checked_figures_on_both_engines() {
    let chain = chain();
    let tables = TempDir::new().unwrap();
    let data = tables.path().to_str().unwrap();
    let load = uptally(["ingest", "--data", data, chain.to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8(load.stdout).unwrap();
    assert!(said.contains("polls: 1822064 loaded, 15 duplicate, 1 conflicting"), "{said}");
    let report = |engine: &str| {
        printed(&mut uptally(["report", "--data", data, "--exact", "--engine", engine]))
    };
    let printed = report("datafusion");
    assert_eq!(printed.lines().count(), 1 + 14_226);
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chain-2023/expected.csv");
    let mut expected = csv::Reader::from_path(expected).unwrap();
    let mut checked = 0;
    for row in expected.records() {
        let row = row.unwrap();
        let figures = row.iter().take(7).collect::<Vec<_>>().join(",");
        assert!(printed.lines().any(|line| line == figures), "expected {figures}: {}", &row[7]);
        checked += 1;
    }
    assert!(checked >= 12);
    assert!(report("polars") == printed, "the engines differ");
}
