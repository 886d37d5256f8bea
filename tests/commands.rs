//! Help, version, environment and listen addresses of the command.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::{output_of, uptally};

fn printed(arguments: &[&str]) -> String {
    let run = uptally(arguments.iter().copied()).output().unwrap();
    assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        for word in ["report", "completions", "interpolation"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let script = printed(&["completions", "bash"]);
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("c"), script).unwrap();
    let completes = "source c; COMP_WORDS=(uptally rep); COMP_CWORD=1; _uptally uptally rep uptally; echo ${COMPREPLY[*]}";
    let mut shell = Command::new("bash");
    let run = output_of(shell.args(["-c", completes]).current_dir(folder.path()));
    assert_eq!(String::from_utf8(run.stdout).unwrap(), "report\n");
    let wrong = uptally(["completions", "tcsh"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn every_command_has_a_manual_page() {
    let page = printed(&["man"]);
    assert!(page.contains(".TH uptally 1") && page.contains("uptally\\-report(1)"), "{page}");
    assert!(page.contains("UPTALLY_DATA") && page.contains("Exit codes"), "{page}");
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("share/man1");
    printed(&["man", pages.to_str().unwrap()]);
    let mut names: Vec<_> = std::fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in ["uptally.1", "uptally-report.1", "uptally-man.1", "uptally-keys-add.1"] {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("help")), "{names:?}");
    let report = std::fs::read_to_string(pages.join("uptally-report.1")).unwrap();
    assert!(report.contains("\\-\\-max\\-gap"), "{report}");
    assert_eq!(std::fs::read_to_string(pages.join("uptally.1")).unwrap(), page);
}

/// Stderr of a command with the variables set.
fn said(variables: &[(&str, &str)]) -> String {
    let folder = TempDir::new().unwrap();
    let chain = ["generate", "--stores", "1", "--days", "1", "--seed", "1", "c"];
    assert!(uptally(chain).current_dir(folder.path()).status().unwrap().success());
    let mut command = uptally(["report", "c"]);
    let run = command.current_dir(folder.path()).envs(variables.iter().copied()).output().unwrap();
    assert!(run.status.success());
    String::from_utf8(run.stderr).unwrap()
}

#[test]
fn the_log_is_as_its_variables_say() {
    assert!(said(&[("RUST_LOG", "debug")]).contains("DEBUG"));
    assert!(said(&[("UPTALLY_LOG", "debug")]).contains("DEBUG"));
    assert!(!said(&[("UPTALLY_LOG", "off"), ("RUST_LOG", "debug")]).contains("DEBUG"));
    assert!(said(&[("UPTALLY_LOG", ""), ("RUST_LOG", "debug")]).contains("DEBUG"));
    for (variable, text, sentence) in [
        ("RUST_LOG", "uptally=loud", "warning: RUST_LOG: \"uptally=loud\" is not a log filter"),
        ("UPTALLY_LOG", "verbose", "warning: UPTALLY_LOG: \"verbose\" is not one of off, error"),
    ] {
        let said = said(&[(variable, text)]);
        assert!(said.contains(sentence), "{said}");
        assert_eq!(said.matches("warning: ").count(), 1, "{said}");
    }
}

#[test]
fn the_variable_names_a_folder_of_tables_only_where_no_path_is_given() {
    let folder = TempDir::new().unwrap();
    let report = |arguments: &[&str], data: Option<&str>| {
        let mut command = uptally(arguments.iter().copied());
        command.current_dir(folder.path()).stdin(Stdio::null());
        let run = command.envs(data.map(|data| ("UPTALLY_DATA", data))).output().unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        (run.status.code(), String::from_utf8(run.stdout).unwrap(), said)
    };
    let chain = ["generate", "--stores", "2", "--days", "1", "--seed", "1", "c"];
    assert_eq!(report(&chain, None).0, Some(0));
    let (code, printed, said) = report(&["report", "c"], None);
    assert_eq!(code, Some(0), "{said}");
    let (code, beside_variable, said) = report(&["report", "c"], Some("tables"));
    assert_eq!((code, beside_variable), (Some(0), printed), "{said}");
    assert!(!folder.path().join("tables").exists());
    for (arguments, data, expected, sentence) in [
        (vec!["report"], Some("tables"), 1, "no data in \"tables\""),
        (vec!["report", "--data", "other"], Some("tables"), 1, "no data in \"other\""),
        (vec!["report", "c", "--data", "tables"], None, 2, "cannot be used with '--data <DIR>'"),
        (vec!["report", "--data", "tables", "c"], Some("tables"), 2, "cannot be used with"),
        (vec!["report", "c", "--as-of", "1"], Some("tables"), 2, "cannot be used with"),
    ] {
        let (code, _, said) = report(&arguments, data);
        assert_eq!(code, Some(expected), "{arguments:?}: {said}");
        assert!(said.contains(sentence), "{arguments:?}: {said}");
    }
}

/// Stderr of a server until it listens; it is stopped then.
fn started(arguments: &[&str]) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let mut command = uptally(["serve"].iter().chain(arguments).copied());
    command.current_dir(folder.path()).stderr(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let mut lines = Vec::new();
    for line in BufReader::new(server.stderr.take().unwrap()).lines() {
        lines.push(line.unwrap());
        if lines.last().unwrap().starts_with("listening on ") {
            break;
        }
    }
    let _ = server.kill();
    let _ = server.wait();
    lines
}

#[test]
fn a_server_listens_at_the_addresses_of_a_host() {
    let is_local = |line: &String, scheme: &str| {
        let at = line.split_once(scheme).map(|(_, at)| at);
        at.is_some_and(|at| at.starts_with("127.0.0.1:") || at.starts_with("[::1]:"))
    };
    let said = started(&[
        "--listen",
        "localhost:0",
        "--flight",
        "localhost:0",
        "--postgres",
        "LOCALHOST:0",
    ]);
    for scheme in ["http://", "grpc://", "postgres://"] {
        assert!(said.iter().any(|line| is_local(line, scheme)), "{scheme}: {said:?}");
    }
    let said = started(&["--listen", "[::ffff:127.0.0.1]:0"]);
    assert!(said.iter().any(|line| line.starts_with("listening on ")), "{said:?}");
    for (flags, sentence) in [
        (
            ["--listen", "0.0.0.0:0"],
            "is reached from other machines; give --keys FILE, or --insecure",
        ),
        (["--postgres", "[::]:0"], "is reached from other machines; give --keys FILE"),
        (["--listen", "nowhere.invalid:0"], "cannot find the host \"nowhere.invalid\""),
        (["--listen", "localhost"], "expected a host and a port, like localhost:8000"),
        (["--flight", ":8000"], "the host 0.0.0.0 is every address of this machine"),
    ] {
        let said = started(&flags).join("\n");
        assert!(said.contains(sentence), "{flags:?}: {said}");
    }
}

#[test]
fn help_names_every_command_and_errors_are_printed() {
    let help = printed(&["--help"]);
    for word in ["generate", "ingest", "report", "sql", "serve", "keys", "completions", "man"] {
        assert!(help.contains(&format!("\n  {word} ")), "{word}: {help}");
    }
    for (arguments, code, sentence) in [
        (vec!["reprot"], 2, "a similar subcommand exists: 'report'"),
        (vec!["report", "--fromat", "csv"], 2, "a similar argument exists: '--format'"),
        (vec!["report", "--data", "none"], 1, "no data in \"none\"; run `uptally ingest` first"),
        (vec!["sql", "SELECT 1", "--data", "none"], 1, "no data in \"none\"; run `uptally ingest`"),
        (vec!["sql", "--data", "none"], 1, "no data in \"none\"; run `uptally ingest`"),
        (vec!["sql", "SELECT", "1"], 2, "quote the query as one argument"),
    ] {
        let run = uptally(arguments.iter().copied()).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(sentence), "{arguments:?}: {said}");
    }
}
