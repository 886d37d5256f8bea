//! Shell that runs the commands of a document in sequence.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

/// Default listen address of the service.
pub const USUAL_ADDRESS: &str = "localhost:8000";

/// Commands with the lines expected below them.
pub fn sessions(document: &str) -> Vec<Vec<(String, Vec<String>)>> {
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
pub struct Terminal {
    shell: Child,
    typed: ChildStdin,
    told: BufReader<ChildStdout>,
    /// For what is printed, apart from the folder of the commands.
    aside: TempDir,
    servers_started: usize,
    /// Stderr of servers, drained until the terminal is closed.
    servers: Vec<BufReader<File>>,
    /// Of the server that was started last.
    address: Option<String>,
}

/// Result of a command.
struct Done {
    printed: String,
    said: String,
    succeeded: bool,
    /// Processes that run in the background.
    running: usize,
}

impl Terminal {
    pub fn open(folder: &Path) -> Self {
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
            .unwrap_or_else(|error| panic!("bash: {error}; tests need it: install the package"));
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
    pub fn follow(&mut self, command: &str, expected: &[String]) -> Result<(), String> {
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

    /// Checks that nothing remains at the end of a block.
    pub fn end_block(&mut self) -> Result<(), String> {
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
