//! Golden cases, one per rule: a folder of `tests/golden/` with CSV files and a `case.txt`.
//!
//! Each line of `case.txt` is a report: the flags of `uptally report`, and below it, indented, the
//! figures that both engines have to print. `BLESS=1` writes what the default engine prints.

use std::path::{Path, PathBuf};

use crate::golden_files::are_blessed;
use crate::harness::uptally;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

/// The flags of each report, without the figures below them, and the comments around them.
fn asked(case: &str) -> Vec<&str> {
    case.lines().filter(|line| !line.starts_with("    ")).collect()
}

fn answered(folder: &Path, case: &str, engine: &str) -> String {
    let mut out = String::new();
    for line in asked(case) {
        out += &format!("{line}\n");
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let run = uptally(line.split_whitespace().chain(["--engine", engine]))
            .current_dir(folder)
            .output()
            .unwrap();
        let printed = if run.status.success() { run.stdout } else { run.stderr };
        let printed = String::from_utf8(printed).unwrap();
        out.extend(
            printed
                .lines()
                .filter(|line| !line.starts_with("note:"))
                .map(|line| format!("    {line}\n")),
        );
    }
    out
}

#[test]
fn each_rule_has_the_figures_of_its_case_on_both_engines() {
    let cases = cases();
    assert!(cases.len() >= 20, "{} cases", cases.len());
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        let check = |folder: &PathBuf| {
            let path = folder.join("case.txt");
            let expected = std::fs::read_to_string(&path).unwrap();
            let found = ["datafusion", "polars"].map(|engine| answered(folder, &expected, engine));
            if are_blessed() {
                std::fs::write(&path, &found[0]).unwrap();
            }
            found.into_iter().filter(|found| *found != expected).collect::<Vec<_>>()
        };
        let runs: Vec<_> =
            cases.iter().map(|folder| (folder, scope.spawn(move || check(folder)))).collect();
        for (folder, run) in runs {
            let differing = run.join().unwrap();
            wrong.extend(
                differing.into_iter().map(|found| format!("{}:\n{found}", folder.display())),
            );
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
