//! Runs the scripts over any connection.
//!
//! Records for some connections only are marked `onlyif session` or `skipif postgres`, with the
//! [`AsyncDB::engine_name`] of the connection.

use std::path::{Path, PathBuf};

use sqllogictest::{AsyncDB, Runner, default_normalizer, default_validator};

use super::value::Kind;
use crate::golden_files::are_blessed;

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut scripts: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "slt")).collect();
    scripts.sort();
    assert!(!scripts.is_empty(), "there are no scripts");
    scripts
}

/// Runs every script over its own connection and reports all failures.
pub async fn run_all<C, F>(connect: impl Fn() -> F)
where
    C: AsyncDB<ColumnType = Kind>,
    F: Future<Output = Result<C, C::Error>>,
{
    let mut wrong = Vec::new();
    for script in scripts() {
        let mut runner = Runner::new(&connect);
        runner.with_column_validator(is_of_kinds);
        if are_blessed() {
            let blessed = runner.update_test_file(
                &script,
                " ",
                default_validator,
                default_normalizer,
                is_of_kinds,
            );
            blessed.await.unwrap();
        } else if let Err(error) = runner.run_file_async(&script).await {
            wrong.push(error.to_string());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A column whose kind the connection cannot tell is of any.
#[allow(clippy::ptr_arg, reason = "the type of a validator")]
fn is_of_kinds(found: &Vec<Kind>, expected: &Vec<Kind>) -> bool {
    let alike = |(found, expected): (&Kind, &Kind)| found == expected || *found == Kind::Any;
    found.len() == expected.len() && found.iter().zip(expected).all(alike)
}
