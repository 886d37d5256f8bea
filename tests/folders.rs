//! Data folders and files with any name that the operating system allows.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use sqllogictest::{AsyncDB, DBOutput};
use tempfile::TempDir;
use uptally::{Dataset, ReportQuery, answer};

use crate::harness::{ENGINES, block_on, ingest, uptally};
use crate::service::process::{Process, curl};
use crate::sql::session::SessionConnection;

const POLLS: &str = "store_id,status,timestamp_utc\n\
                     a,active,2023-01-24 10:00:00 UTC\n\
                     a,inactive,2023-01-24 10:30:00 UTC\n";
const HOURS: &str = "store_id,day,start_time_local,end_time_local\na,0,09:00,17:00\n";
const ZONES: &str = "store_id,timezone_str\na,Europe/London\n";

/// Names of folders; those that hold a slash are several.
fn names() -> Vec<OsString> {
    let mut names: Vec<OsString> = [
        "plain",
        "two words",
        " blanks at both ends ",
        "a%20b",
        "Q1%2F2026",
        "%",
        "100%25",
        "what?",
        "a#b",
        "a#1",
        "*",
        "[a-z]{x}",
        "a:b",
        "file:",
        "s3:",
        "~",
        "...",
        ".hidden",
        "-dash",
        "a&b=c;d,e+f@g!h$i",
        "(round)|<pipe>^`tick`",
        "é ü 東京 🍕",
        "e\u{301}",
        "'single'",
        "polls",
        "polled_on=2023-01-24",
        "new/folders/of/several/levels",
        "trailing/",
        "./dot/.",
        "up/../over/../../in_folder/x",
    ]
    .map(OsString::from)
    .to_vec();
    names.push("n".repeat(255).into());
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        names.extend(
            ["line\nbreak", "tab\t\r\u{7}", "back\\slash", "\"double\"", "\\\\server\\x"]
                .map(OsString::from),
        );
        names.push(OsString::from_vec(b"latin-1 \xe9\xff".to_vec()));
        names.push(OsString::from_vec(b"\xff/\xfe%20".to_vec()));
    }
    names
}

/// Loads the files, and what both engines and a query answer from the folder.
async fn answers(data: &Path, files: &[&Path]) -> Vec<String> {
    ingest(data, files).await.unwrap_or_else(|error| panic!("{data:?}: {}", error.sentence()));
    let dataset = Dataset::open(data, None).await.unwrap().unwrap();
    let mut answers = Vec::new();
    for engine in ENGINES {
        let answered = answer(&dataset, &ReportQuery::default(), engine).await;
        let figures = answered.unwrap_or_else(|error| panic!("{data:?}: {}", error.sentence()));
        answers.push(format!("{:?}", figures.figures));
    }
    let mut session = SessionConnection::open(&dataset).await.unwrap();
    for sql in [
        "SELECT store_id, polled_at, active, polled_on FROM polls ORDER BY polled_at",
        "SELECT s.store_id, day_of_week, s.time_zone FROM business_hours JOIN stores s USING (store_id)",
        "SELECT count(*) FROM as_of('polls', 1)",
        "SELECT store_id, up FROM uptime()",
    ] {
        let DBOutput::Rows { rows, .. } = session.run(sql).await.unwrap() else { panic!("{sql}") };
        answers.push(format!("{rows:?}"));
    }
    answers
}

/// The files of the chain, named so.
fn write_files(folder: &Path, name: &OsStr) -> Vec<PathBuf> {
    std::fs::create_dir_all(folder).unwrap();
    let place = |ending: &str, text: &str| {
        let mut file = name.to_owned();
        file.push(ending);
        let path = folder.join(file);
        std::fs::write(&path, text).unwrap();
        path
    };
    vec![place("1.csv", POLLS), place("2.csv", HOURS), place("3.csv", ZONES)]
}

#[test]
fn a_data_folder_may_have_any_name() {
    let root = TempDir::new().unwrap();
    std::fs::create_dir_all(root.path().join("up")).unwrap();
    std::fs::create_dir_all(root.path().join("over")).unwrap();
    let inside = root.path().join("in_folder");
    std::fs::create_dir_all(inside.join("up")).unwrap();
    std::fs::create_dir_all(inside.join("over")).unwrap();
    let files = write_files(&root.path().join("files"), OsStr::new("x"));
    let files: Vec<_> = files.iter().map(PathBuf::as_path).collect();
    let names = names();
    block_on(async {
        let expected = answers(&root.path().join("expected"), &files).await;
        for name in &names {
            assert_eq!(answers(&inside.join(name), &files).await, expected, "{name:?}");
        }
    });
    // No other folder was made on the way.
    let mut made: Vec<_> =
        std::fs::read_dir(&inside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let mut expected: Vec<OsString> = names
        .iter()
        .filter_map(|name| {
            Path::new(name).components().find_map(|part| match part {
                std::path::Component::Normal(part) => Some(part.to_owned()),
                _ => None,
            })
        })
        .chain(["over".into(), "x".into()])
        .collect();
    made.sort();
    expected.sort();
    expected.dedup();
    assert_eq!(made, expected);
}

#[test]
fn files_may_have_any_name() {
    let root = TempDir::new().unwrap();
    let plain = write_files(&root.path().join("plain"), OsStr::new("x"));
    block_on(async {
        let plain: Vec<_> = plain.iter().map(PathBuf::as_path).collect();
        let expected = answers(&root.path().join("data"), &plain).await;
        for (at, name) in names().iter().enumerate().filter(|(_, name)| name.len() < 250) {
            let Some(name) = Path::new(name).file_name() else { continue };
            let folder = root.path().join(at.to_string()).join(name);
            let files = write_files(&folder, name);
            let files: Vec<_> = files.iter().map(PathBuf::as_path).collect();
            let each = root.path().join("data of files").join(at.to_string());
            assert_eq!(answers(&each, &files).await, expected, "{name:?}");
            let hidden = name.as_encoded_bytes().starts_with(b".");
            if !hidden {
                let whole = root.path().join("data of folders").join(at.to_string());
                assert_eq!(answers(&whole, &[&folder]).await, expected, "{name:?}");
            }
        }
    });
}

#[test]
#[cfg(unix)]
fn a_link_to_a_folder_is_that_folder() {
    let root = TempDir::new().unwrap();
    let files = write_files(&root.path().join("files"), OsStr::new("x"));
    let files: Vec<_> = files.iter().map(PathBuf::as_path).collect();
    let real = root.path().join("real 100%25");
    std::fs::create_dir(&real).unwrap();
    let link = root.path().join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    block_on(async {
        let expected = answers(&link, &files).await;
        assert_eq!(answers(&real, &files).await, expected);
    });
}

/// Output of a command with its folder's name removed.
#[track_caller]
fn printed(folder: &Path, data: Option<&OsStr>, arguments: &[&str]) -> String {
    let mut command = uptally(arguments.iter().copied());
    match data {
        Some(data) if arguments[0] != "report" => drop(command.env("UPTALLY_DATA", data)),
        Some(data) => drop(command.arg("--data").arg(data)),
        None => {}
    }
    crate::harness::printed(command.current_dir(folder))
}

#[test]
fn commands_take_relative_folders() {
    let root = TempDir::new().unwrap();
    let cwd = root.path().join("here/there");
    std::fs::create_dir_all(&cwd).unwrap();
    write_files(&cwd.join("files"), OsStr::new("x"));
    let expected = printed(&cwd, None, &["report", "files"]);
    for data in ["../a%20b", "../../Q1%2F2026/./tables/", "sub dir\nof two lines"] {
        let data = Some(OsStr::new(data));
        printed(&cwd, data, &["ingest", "files"]);
        for engine in ["datafusion", "polars"] {
            assert_eq!(printed(&cwd, data, &["report", "--engine", engine]), expected, "{data:?}");
        }
        assert!(printed(&cwd, data, &["report", "--explain"]).contains("DataSourceExec"));
        assert_eq!(printed(&cwd, data, &["sql", "SELECT count(*) AS n FROM polls"]), "n\n2\n");
    }
}

const ODD: [&str; 4] = ["a%20b", "two words", "a#b?c", "ü of\ntwo lines"];

#[test]
fn zones_of_a_folder_of_any_name_are_listed_and_updated() {
    let root = TempDir::new().unwrap();
    write_files(&root.path().join("files"), OsStr::new("x"));
    for name in ODD {
        let data = Some(OsStr::new(name));
        printed(root.path(), data, &["ingest", "files"]);
        assert!(printed(root.path(), data, &["zones"]).contains("\nversion 1: "), "{name:?}");
        let clocks = printed(root.path(), data, &["zones", "show", "Europe/London"]);
        assert!(clocks.starts_with("zone,starts_at,utc_offset_s\nEurope/London,"), "{name:?}");
        let said = printed(root.path(), data, &["zones", "update"]);
        assert!(said.ends_with("already; nothing to do\nversion 1\n"), "{name:?}: {said}");
    }
    no_other_folder(root.path(), &["files"]);
}

#[test]
fn a_folder_of_any_name_is_served() {
    let root = TempDir::new().unwrap();
    write_files(&root.path().join("files"), OsStr::new("x"));
    let expected = printed(root.path(), None, &["report", "files"]);
    for name in ODD {
        printed(root.path(), Some(OsStr::new(name)), &["ingest", "files"]);
        let server = Process::start_with(root.path(), ["--data", name]);
        let at = |path: &str| format!("{}{path}", server.url);
        assert!(curl(&[&at("/v1/stores")]).contains("\"total\":1"), "{name:?}");
        let asked = curl(&["-X", "POST", &at("/v1/reports")]);
        let asked: serde_json::Value = serde_json::from_str(&asked).unwrap();
        let id = asked["id"].as_str().unwrap();
        let ended = curl(&[&at(&format!("/v1/reports/{id}?wait=60s"))]);
        assert!(ended.contains("\"state\":\"complete\""), "{name:?}: {ended}");
        assert_eq!(curl(&[&at(&format!("/v1/reports/{id}.csv"))]), expected, "{name:?}");
        let sql = at("/v1/sql?format=csv");
        let states =
            curl(&["-d", "SELECT state FROM reports", "-H", "content-type: application/sql", &sql]);
        assert!(states.ends_with("\ncomplete\n"), "{name:?}: {states}");
    }
    no_other_folder(root.path(), &["files"]);
}

/// The folder holds those of [`ODD`] and these.
#[track_caller]
fn no_other_folder(root: &Path, others: &[&str]) {
    let made = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name());
    let mut made: Vec<_> = made.map(|name| name.into_string().unwrap()).collect();
    let mut expected: Vec<_> = ODD.iter().chain(others).map(|name| name.to_string()).collect();
    made.sort();
    expected.sort();
    assert_eq!(made, expected);
}
