//! Output files have the format of their extension and are written atomically.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use uptally::Format;

use crate::harness::{output_of, uptally};

const HEADER: &str = "store_id,uptime_last_hour,";

/// A folder with CSV files in `chain` and their tables in `data`.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let spec = ["generate", "--stores", "20", "--days", "2", "--seed", "7", "chain"];
    for arguments in [spec.as_slice(), &["ingest", "chain"]] {
        succeeds(folder.path(), arguments);
    }
    folder
}

fn asked(folder: &Path, arguments: &[&str]) -> Output {
    uptally(arguments.iter().copied()).current_dir(folder).output().unwrap()
}

#[track_caller]
fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let run = asked(folder, arguments);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{arguments:?}: {said}");
    String::from_utf8_lossy(&run.stdout).into_owned()
}

/// Checks that nothing is printed and no file is created.
#[track_caller]
fn fails(folder: &Path, arguments: &[&str], code: i32, sentence: &str) {
    let before = names(folder);
    let run = asked(folder, arguments);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(said.contains(sentence), "{arguments:?}: {said}");
    assert_eq!(names(folder), before, "{arguments:?}");
    assert!(run.stdout.is_empty(), "{arguments:?}");
}

/// A script with the binary on its path.
#[track_caller]
fn scripted(folder: &Path, script: &str) -> String {
    let binaries = Path::new(env!("CARGO_BIN_EXE_uptally")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args(["-euc", script]).current_dir(folder).env("PATH", path).env_remove("UPTALLY_DATA");
    let run = output_of(&mut command);
    assert!(run.status.success(), "{script}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8_lossy(&run.stdout).into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_name_of_a_file_tells_its_format() {
    let folder = folder();
    let folder = folder.path();
    let starts: [(&str, &[u8]); 17] = [
        ("r.csv", HEADER.as_bytes()),
        ("r.json", b"[{\"store_id\":"),
        ("r.ndjson", b"{\"store_id\":"),
        ("r.jsonl", b"{\"store_id\":"),
        ("r.parquet", b"PAR1"),
        ("R.PARQUET", b"PAR1"),
        ("r.pq", b"PAR1"),
        ("r.arrow", b"ARROW1"),
        ("r.feather", b"ARROW1"),
        ("r.ipc", b"ARROW1"),
        ("r.arrows", b"\xff\xff\xff\xff"),
        ("r.md", b"| store_id |"),
        ("r.markdown", b"| store_id |"),
        ("r.txt", b"+----"),
        ("r.csv.gz", b"\x1f\x8b"),
        ("r.ndjson.zst", b"\x28\xb5\x2f\xfd"),
        ("report", HEADER.as_bytes()),
    ];
    for ending in Format::ALL.into_iter().flat_map(Format::endings) {
        let is_tried = starts.iter().any(|(name, _)| name.ends_with(&format!(".{ending}")));
        assert!(is_tried, "{ending}");
    }
    for (name, start) in starts {
        for mut arguments in [vec!["report"], vec!["sql", "SELECT store_id, 1 FROM stores"]] {
            arguments.extend(["-o", name]);
            succeeds(folder, &arguments);
            let bytes = fs::read(folder.join(name)).unwrap();
            // The columns of the query are others.
            let start = if arguments[0] == "sql" { &start[..start.len().min(8)] } else { start };
            assert!(bytes.starts_with(start), "{arguments:?}: {:?}", &bytes[..20]);
        }
    }
    let csv = succeeds(folder, &["report"]);
    succeeds(folder, &["report", "-o", "r.csv.gz"]);
    assert_eq!(scripted(folder, "gzip -dc r.csv.gz"), csv);
    succeeds(folder, &["report", "--format", "csv", "-o", "r.txt"]);
    assert_eq!(fs::read_to_string(folder.join("r.txt")).unwrap(), csv);
    succeeds(folder, &["report", "--format", "csv", "-o", "r.xyz"]);
    assert_eq!(fs::read_to_string(folder.join("r.xyz")).unwrap(), csv);
    succeeds(folder, &["report", "--explain", "-o", "plan.txt"]);
    scripted(
        folder,
        "echo .once p.parquet > s.sql; echo 'SELECT 1 AS a;' >> s.sql; uptally sql -f s.sql",
    );
    assert!(fs::read(folder.join("p.parquet")).unwrap().starts_with(b"PAR1"));
}

#[test]
fn a_name_that_contradicts_the_format_is_a_wrong_flag() {
    let folder = folder();
    let folder = folder.path();
    let query = "SELECT 1 AS a";
    for (arguments, sentence) in [
        (
            vec!["report", "--format", "csv", "-o", "r.parquet"],
            "ends in .parquet, which is not csv",
        ),
        (vec!["sql", query, "--format", "json", "-o", "r.csv"], "ends in .csv, which is not json"),
        (vec!["report", "-o", "r.parquet.gz"], "not compressed as a whole; name a .parquet file"),
        (vec!["report", "-o", "r.csv.bz2"], "nothing is compressed as .bz2; expected .gz or .zst"),
        (vec!["sql", query, "-o", "r.xlsx"], "nothing is written as .xlsx; expected one of .csv"),
        (vec!["report", "-o", "r.xyz"], "nothing is written as .xyz; expected one of .csv"),
        (vec!["sql", query, "-o", "r.csvv"], ", or --format for any name"),
        (vec!["report", "--explain", "-o", "r.parquet"], "a plan is written as table; name a .txt"),
        (vec!["ingest", "chain", "--rejects", "r.json"], "rejects are written as csv; name a .csv"),
        (vec!["report", "chain", "--rejects", "r.tsv"], "nothing is written as .tsv"),
    ] {
        fails(folder, &arguments, 2, sentence);
    }
}

#[test]
fn a_hyphen_is_stdout() {
    let folder = folder();
    let folder = folder.path();
    let csv = succeeds(folder, &["report"]);
    assert_eq!(succeeds(folder, &["report", "-o", "-"]), csv);
    assert_eq!(
        succeeds(folder, &["sql", "-o", "-", "SELECT 1 AS a; SELECT 2 AS b"]),
        "a\n1\nb\n2\n"
    );
    let once = "echo '.once -' > s.sql; echo 'SELECT 3 AS c;' >> s.sql; uptally sql -f s.sql";
    assert_eq!(scripted(folder, once), "c\n3\n");
    assert!(!folder.join("-").exists());
    succeeds(folder, &["report", "-o", "./-"]);
    assert_eq!(fs::read_to_string(folder.join("-")).unwrap(), csv);
    fails(
        folder,
        &["keys", "add", "--role", "run", "-"],
        1,
        "\"-\" is not a regular file; name one",
    );
}

#[test]
fn rejects_are_a_file_like_any_other() {
    let folder = folder();
    let folder = folder.path();
    let rows = "store_id,status,timestamp_utc\na,active,2023-01-01 00:00:00 UTC\na,asleep,2023-01-01 00:00:00 UTC\n";
    fs::write(folder.join("bad.csv"), rows).unwrap();
    let bad = ["--data", "d", "bad.csv", "--max-reject-rate", "1", "--rejects"];
    let load = |file: &str| {
        let arguments: Vec<_> = ["ingest"].iter().chain(&bad).copied().chain([file]).collect();
        let run = asked(folder, &arguments);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        fs::remove_dir_all(folder.join("d")).unwrap();
        String::from_utf8(run.stdout).unwrap()
    };
    let summary = load("r.csv");
    let rejects = fs::read_to_string(folder.join("r.csv")).unwrap();
    assert!(rejects.contains("asleep") && !summary.contains("asleep"), "{rejects} {summary}");
    assert_eq!(load("-"), rejects);
    load("r.csv.gz");
    assert_eq!(scripted(folder, "gzip -dc r.csv.gz"), rejects);
    let nowhere = ["ingest", "--data", "d", "bad.csv", "--rejects", "none/r.csv"];
    fails(folder, &nowhere, 1, "there is no folder \"none\"; make it first");
}

#[test]
fn links_are_followed_and_what_is_there_keeps_its_mode_and_owner() {
    let folder = folder();
    let folder = folder.path();
    let csv = succeeds(folder, &["report"]);
    let is_report = |name: &str| assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), csv);
    fs::create_dir(folder.join("d")).unwrap();
    let target = folder.join("d/target");
    fs::write(&target, "before").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
    // Nobody but the owner of the machine gives files away.
    let is_root = fs::metadata(&target).unwrap().uid() == 0;
    if is_root {
        std::os::unix::fs::chown(&target, Some(1234), Some(1234)).unwrap();
    }
    symlink("d/target", folder.join("link")).unwrap();
    symlink("link", folder.join("link_to_link")).unwrap();
    for name in ["d/target", "link", "link_to_link"] {
        fs::write(&target, "before").unwrap();
        succeeds(folder, &["report", "-o", name]);
        is_report("d/target");
        let metadata = fs::metadata(&target).unwrap();
        assert_eq!(metadata.mode() & 0o7777, 0o600, "{name}");
        assert!(!is_root || (metadata.uid(), metadata.gid()) == (1234, 1234), "{name}");
    }
    assert!(folder.join("link").is_symlink() && folder.join("link_to_link").is_symlink());
    symlink("d/new", folder.join("dangling")).unwrap();
    succeeds(folder, &["sql", "SELECT 1 AS a", "-o", "dangling"]);
    assert!(folder.join("dangling").is_symlink());
    assert_eq!(fs::read_to_string(folder.join("d/new")).unwrap(), "a\n1\n");
    symlink("loop", folder.join("loop")).unwrap();
    fails(folder, &["report", "-o", "loop"], 1, "\"loop\": cannot follow its links");
    symlink("none/new", folder.join("lost")).unwrap();
    fails(folder, &["report", "-o", "lost"], 1, "there is no folder \"none\"; make it first");
    // A failure leaves the old file, including its mode.
    let late = "SELECT 10 / (20000 - value) AS a FROM range(1, 30000)";
    fails(folder, &["sql", late, "-o", "link"], 1, "division by zero");
    is_report("d/target");
    assert_eq!(names(&folder.join("d")), ["new", "target"]);
    fs::set_permissions(folder.join("d/new"), fs::Permissions::from_mode(0o640)).unwrap();
    succeeds(folder, &["keys", "add", "--role", "run", "dangling"]);
    assert_eq!(fs::metadata(folder.join("d/new")).unwrap().mode() & 0o7777, 0o640);
    assert!(fs::read_to_string(folder.join("d/new")).unwrap().contains("\nrun "));
}

#[test]
fn pipes_and_devices_take_what_is_written() {
    let folder = folder();
    let folder = folder.path();
    let csv = succeeds(folder, &["report"]);
    for script in [
        "uptally report -o /dev/stdout",
        "uptally report -o /dev/stdout | cat",
        "uptally report -o /dev/fd/1",
        "echo kept > out; uptally report -o /dev/stdout >> out; sed 1d out",
        "mkfifo pipe; cat pipe > out & uptally report -o pipe; wait; cat out; test -p pipe",
        "uptally report -o >(cat > out; echo . > done) ; until [ -e done ]; do :; done; cat out",
        "ln -s /dev/stdout link; uptally report -o link; test -L link",
        "uptally report -o /dev/null; test -c /dev/null; uptally report",
    ] {
        assert_eq!(scripted(folder, script), csv, "{script}");
    }
}

#[test]
fn an_invalid_output_path_is_explained() {
    let folder = folder();
    let folder = folder.path();
    fs::create_dir(folder.join("d")).unwrap();
    for (file, sentence) in [
        ("d", "\"d\" is a folder; name a file in it"),
        ("d/", "\"d/\" is a folder; name a file in it"),
        (".", "\".\" is a folder; name a file in it"),
        ("none/r.csv", "\"none/r.csv\": there is no folder \"none\"; make it first"),
        ("none/", "\"none/\" is not a file name; name a file like report.csv"),
        ("chain/store_status.csv/r.csv", "\"chain/store_status.csv\" is not a folder"),
    ] {
        fails(folder, &["report", "-o", file], 1, sentence);
        fails(folder, &["sql", "SELECT 1", "-o", file], 1, sentence);
        fails(folder, &["report", "chain", "--rejects", file], 1, sentence);
        fails(folder, &["keys", "add", "--role", "run", file], 1, sentence);
    }
}
