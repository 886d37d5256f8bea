//! Every command of the documentation, run as it is written.
//!
//! A `console` block is a session: lines that start with `$ ` are typed, the lines below each are
//! what it prints to stdout, `…` standing for any lines; nothing below means anything goes. A line
//! that ends in ` &` starts the service, which runs to the end of its block, on a port that is free.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::service::process::Process;

/// Where the service listens when nobody says otherwise.
const USUAL_ADDRESS: &str = "localhost:8000";

/// Commands with the lines expected below them.
fn sessions(document: &str) -> Vec<Vec<(String, Vec<String>)>> {
    let mut sessions: Vec<Vec<(String, Vec<String>)>> = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
            if inside {
                sessions.push(Vec::new());
            }
        } else if inside {
            let session = sessions.last_mut().unwrap();
            match line.strip_prefix("$ ") {
                Some(command) => session.push((command.to_owned(), Vec::new())),
                None => session
                    .last_mut()
                    .expect("a session starts with a command")
                    .1
                    .push(line.to_owned()),
            }
        }
    }
    sessions
}

/// A checkout as a newcomer has it, with the binary for `cargo run --` and `uptally`.
fn typed(command: &str, folder: &Path) -> std::process::Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_uptally"));
    let command = command.replace("cargo run -- ", "uptally ");
    let paths = [binary.parent().unwrap().to_path_buf()];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(paths.into_iter().chain(std::env::split_paths(&path))).unwrap();
    Command::new("sh")
        .args(["-c", &command])
        .current_dir(folder)
        .env("PATH", path)
        .env_remove("UPTALLY_DATA")
        .output()
        .unwrap()
}

fn matches(expected: &[String], found: &[&str]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((line, rest)) if line == "…" => {
            (0..=found.len()).any(|at| matches(rest, &found[at..]))
        }
        Some((line, rest)) => found.first() == Some(&line.as_str()) && matches(rest, &found[1..]),
    }
}

#[track_caller]
fn prints(command: &str, expected: &[String], folder: &Path) {
    let run = typed(command, folder);
    let (printed, said) =
        (String::from_utf8(run.stdout).unwrap(), String::from_utf8_lossy(&run.stderr).into_owned());
    assert!(run.status.success(), "{command}: {said}");
    let printed: Vec<_> = printed.lines().collect();
    assert!(
        expected.is_empty() || matches(expected, &printed),
        "{command} printed\n{}",
        printed.join("\n")
    );
}

#[test]
fn the_commands_of_the_readme_print_what_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let folder = TempDir::new().unwrap();
    let sample = folder.path().join("data/sample");
    std::fs::create_dir_all(&sample).unwrap();
    for entry in std::fs::read_dir(root.join("data/sample")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, sample.join(path.file_name().unwrap())).unwrap();
    }
    let mut ran = 0;
    for session in sessions(&readme) {
        let mut server = None;
        for (command, expected) in session {
            // Building and testing is what runs this test.
            if ["cargo test", "cargo build --release", "cargo bench"]
                .iter()
                .any(|prefix| command.starts_with(prefix))
            {
                continue;
            }
            ran += 1;
            if let Some(serve) = command.strip_suffix(" &") {
                let arguments = serve.strip_prefix("uptally serve").unwrap();
                server = Some(Process::start(folder.path(), arguments));
                continue;
            }
            let command = match &server {
                Some(server) => {
                    command.replace(USUAL_ADDRESS, server.url.strip_prefix("http://").unwrap())
                }
                None => command,
            };
            prints(&command, &expected, folder.path());
        }
    }
    assert!(ran >= 8, "{ran} commands ran");
}

#[test]
fn the_sample_is_what_the_generator_makes() {
    let folder = TempDir::new().unwrap();
    let made = typed("uptally generate --stores 40 --days 7 --seed 1 sample", folder.path());
    assert!(made.status.success());
    for name in ["store_status.csv", "menu_hours.csv", "timezones.csv"] {
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample").join(name);
        let committed = std::fs::read(committed).unwrap();
        assert!(
            committed == std::fs::read(folder.path().join("sample").join(name)).unwrap(),
            "{name}"
        );
    }
}
