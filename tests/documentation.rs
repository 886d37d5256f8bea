//! Every command of the documentation, run as it is written, in one shell.
//!
//! A `console` block is a session: lines that start with `$ ` are typed, the lines below each are
//! what it prints to stdout, `…` standing for any lines; nothing below means anything goes. All
//! blocks share one terminal, as a newcomer's do: what one exports, the later ones see. The service
//! listens on a port that is free, and must be stopped in the block that starts it. The user's own
//! data, in the default folder, and everything else in the current folder must be as before.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use crate::harness::uptally;

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

fn matches(expected: &[String], found: &[&str]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((line, rest)) if line == "…" => {
            (0..=found.len()).any(|at| matches(rest, &found[at..]))
        }
        Some((line, rest)) => found.first() == Some(&line.as_str()) && matches(rest, &found[1..]),
    }
}

/// A shell in a folder, with the binary on its path.
struct Terminal {
    shell: Child,
    typed: ChildStdin,
    told: BufReader<ChildStdout>,
    /// For what is printed, apart from the folder of the commands.
    aside: TempDir,
    servers_started: usize,
    /// What servers say, read or not, until the terminal is closed.
    servers: Vec<BufReader<File>>,
    /// Of the server that was started last.
    address: Option<String>,
}

/// What a command left behind.
struct Done {
    printed: String,
    said: String,
    succeeded: bool,
    /// Processes that run in the background.
    running: usize,
}

impl Terminal {
    fn open(folder: &Path) -> Self {
        let binary = Path::new(env!("CARGO_BIN_EXE_uptally"));
        let paths = [binary.parent().unwrap().to_path_buf()];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths(paths.into_iter().chain(std::env::split_paths(&path))).unwrap();
        let mut shell = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .current_dir(folder)
            .env("PATH", path)
            .env("UPTALLY_LOG", "warn")
            .env_remove("UPTALLY_DATA")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            typed: shell.stdin.take().unwrap(),
            told: BufReader::new(shell.stdout.take().unwrap()),
            shell,
            aside: TempDir::new().unwrap(),
            servers_started: 0,
            servers: Vec::new(),
            address: None,
        }
    }

    fn run(&mut self, command: &str) -> Done {
        let (out, err) = (self.aside.path().join("out"), self.aside.path().join("err"));
        let (shown_out, shown_err) = (out.display(), err.display());
        // The lines in braces run in the shell itself: it exports, and has jobs.
        writeln!(
            self.typed,
            "{{ {command}\n}} > {shown_out} 2> {shown_err} < /dev/null; echo $? $(jobs -pr | wc -l)"
        )
        .unwrap();
        let mut told = String::new();
        self.told.read_line(&mut told).unwrap();
        let (status, running) = told.trim().split_once(' ').unwrap_or(("shell has ended", "0"));
        let read = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        Done {
            printed: read(&out),
            said: read(&err),
            succeeded: status == "0",
            running: running.trim().parse().unwrap(),
        }
    }

    /// Starts a server in the background; returns when it listens.
    fn serve(&mut self, arguments: &str) -> Result<(), String> {
        if self.run(":").running > 0 {
            return Err("a server is running already, and has the port".to_owned());
        }
        self.servers_started += 1;
        let heard = self.aside.path().join(format!("server-{}", self.servers_started));
        assert!(Command::new("mkfifo").arg(&heard).status().unwrap().success());
        let started =
            format!("uptally serve --listen 127.0.0.1:0{arguments} 2> {} &", heard.display());
        self.run(&started);
        let mut server = BufReader::new(File::open(heard).unwrap());
        let mut said = String::new();
        self.address = loop {
            let before = said.len();
            if server.read_line(&mut said).unwrap() == 0 {
                return Err(format!("the server has ended: {said}"));
            }
            if let Some(url) = said[before..].trim().strip_prefix("listening on http://") {
                break Some(url.to_owned());
            }
        };
        self.servers.push(server);
        Ok(())
    }

    /// Types a command of the documentation.
    fn follow(&mut self, command: &str, expected: &[String]) -> Result<(), String> {
        let command = command.replace("cargo run -- ", "uptally ");
        if let Some(serve) = command.strip_suffix(" &") {
            return self.serve(serve.strip_prefix("uptally serve").unwrap());
        }
        let typed = match &self.address {
            Some(address) => command.replace(USUAL_ADDRESS, address),
            None if command.contains(USUAL_ADDRESS) => {
                return Err(format!("{command}: no server is running"));
            }
            None => command.clone(),
        };
        let done = self.run(&typed);
        if !done.succeeded {
            return Err(format!("{command}: {}{}", done.printed, done.said));
        }
        let printed: Vec<_> = done.printed.lines().collect();
        match expected.is_empty() || matches(expected, &printed) {
            true => Ok(()),
            false => Err(format!("{command} printed\n{}", printed.join("\n"))),
        }
    }

    /// What may not be there at the end of a block.
    fn end_block(&mut self) -> Result<(), String> {
        self.address = None;
        match self.run(":").running {
            0 => Ok(()),
            _ => Err("a block leaves a server running".to_owned()),
        }
    }
}

impl Drop for Terminal {
    /// Leaves no server behind, whatever was found wrong.
    fn drop(&mut self) {
        let _ = writeln!(self.typed, "kill -9 $(jobs -p); exit");
        let _ = self.shell.wait();
    }
}

/// Every file below a folder, with its bytes; folders have none.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
            found.insert(path, Vec::new());
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

/// Follows a document in a checkout whose user has loaded data; returns how many commands ran.
///
/// # Errors
/// Says which command, or what it leaves behind, is not as it should be.
fn follow(document: &str) -> Result<usize, String> {
    let folder = TempDir::new().unwrap();
    let sample = folder.path().join("data/sample");
    std::fs::create_dir_all(&sample).unwrap();
    for entry in
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample")).unwrap()
    {
        let path = entry.unwrap().path();
        std::fs::copy(&path, sample.join(path.file_name().unwrap())).unwrap();
    }
    let loaded = uptally(["ingest", "data/sample"]).current_dir(folder.path()).output().unwrap();
    assert!(loaded.status.success());
    let before = contents(folder.path());
    let mut terminal = Terminal::open(folder.path());
    let mut ran = 0;
    for session in sessions(document) {
        for (command, expected) in session {
            // Building and testing is what runs this test.
            if ["cargo test", "cargo build --release", "cargo bench"]
                .iter()
                .any(|prefix| command.starts_with(prefix))
            {
                continue;
            }
            ran += 1;
            terminal.follow(&command, &expected)?;
        }
        terminal.end_block()?;
    }
    drop(terminal);
    let after = contents(folder.path());
    let is_same = |path: &PathBuf| before.get(path) == after.get(path);
    match before.keys().chain(after.keys()).find(|path| !is_same(path)) {
        None => Ok(ran),
        Some(path) => {
            let path = path.strip_prefix(folder.path()).unwrap();
            Err(format!("{path:?} was changed, or left behind"))
        }
    }
}

#[test]
fn the_commands_of_the_readme_print_what_it_says() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let ran = follow(&std::fs::read_to_string(readme).unwrap());
    assert!(ran.clone().is_ok_and(|ran| ran >= 40), "{ran:?}");
}

#[test]
fn a_tour_that_is_not_clean_is_found_out() {
    #[track_caller]
    fn check(commands: &str, expected: &str) {
        let document = format!("```console\n{}\n```\n", commands.replace('\n', "\n$ "));
        let found = follow(&document).unwrap_err();
        assert!(found.contains(expected), "{commands}: {found}");
    }
    let keys =
        "$ uptally keys add --role run tour-keys > tour-key\nuptally serve --keys tour-keys &";
    check("$ uptally serve --data tour &", "a block leaves a server running");
    check(
        "$ uptally serve --data tour &\nuptally serve --data other &",
        "a server is running already",
    );
    check(
        &format!("{keys}\ncurl -sf -X POST {USUAL_ADDRESS}/trigger-report"),
        "curl -sf -X POST localhost:8000/trigger-report: ",
    );
    check(
        "$ uptally generate --stores 20 --days 2 --seed 7 chain\nuptally ingest --replace chain\nrm -r chain",
        "\"data/",
    );
    check("$ uptally report -o report.csv", "\"report.csv\" was changed, or left behind");
    check(&format!("$ curl -s {USUAL_ADDRESS}/livez"), "no server is running");
    check("$ uptally report --data nowhere", "no data in \"nowhere\"; run `uptally ingest` first");
}

#[test]
fn the_sample_is_what_the_generator_makes() {
    let folder = TempDir::new().unwrap();
    let spec = ["generate", "--stores", "40", "--days", "7", "--seed", "1", "sample"];
    let made = uptally(spec).current_dir(folder.path()).status().unwrap();
    assert!(made.success());
    for name in ["store_status.csv", "menu_hours.csv", "timezones.csv"] {
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample").join(name);
        let committed = std::fs::read(committed).unwrap();
        assert!(
            committed == std::fs::read(folder.path().join("sample").join(name)).unwrap(),
            "{name}"
        );
    }
}
