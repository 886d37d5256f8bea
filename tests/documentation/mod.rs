//! Runs every command of the documentation as written, and checks what it says about files.
//!
//! A `console` block is a session: lines that start with `$ ` are commands, the lines below are
//! their expected stdout, with `…` for any lines; without lines, any output is accepted. All blocks
//! of a document share one shell, so that later ones see exported variables. The service listens on
//! a free port, and must be stopped in the block that starts it. The user's data in the default
//! folder, and everything else in the current folder, must not change.

#[expect(dead_code, reason = "its main function is for those who copy it")]
#[path = "../../examples/library/src/main.rs"]
mod library;
mod pages;
mod terminal;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use uptally::Format;
use uptally::internals::rules::ReportOption;
use uptally::internals::server::ROUTES;

use self::pages::{Page, pages};
use self::terminal::{Terminal, USUAL_ADDRESS, sessions};
use crate::harness::{block_on, ingest, uptally};

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

/// Returns true if the command builds or tests the checkout, which is what runs this test.
///
/// # Errors
/// When it is a script that does not exist.
fn is_of_a_checkout(command: &str) -> Result<bool, String> {
    const OF_CARGO: [&str; 8] = ["bench", "build", "clippy", "deny", "doc", "fmt", "fuzz", "test"];
    let mut words = command.split_whitespace().skip_while(|word| word.contains('='));
    match words.next() {
        Some("cargo") => {
            let of_cargo = words.find(|word| !word.starts_with('+')).unwrap_or_default();
            Ok(OF_CARGO.contains(&of_cargo))
        }
        Some(script) if [".ci/", "benches/", "tests/"].iter().any(|at| script.starts_with(at)) => {
            match Path::new(env!("CARGO_MANIFEST_DIR")).join(script).is_file() {
                true => Ok(true),
                false => Err(format!("{command}: there is no {script}")),
            }
        }
        _ => Ok(false),
    }
}

/// Copies the files of a folder of this checkout to the same place in another one.
fn copy_files(folder: &str, checkout: &Path) {
    std::fs::create_dir_all(checkout.join(folder)).unwrap();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let copy = checkout.join(folder).join(path.file_name().unwrap());
            std::fs::copy(&path, copy).unwrap();
        }
    }
}

/// Follows a document in a checkout whose user has loaded data; returns how many commands ran.
///
/// # Errors
/// Says which command, or what it leaves behind, is not as it should be.
fn follow(document: &str) -> Result<usize, String> {
    let folder = TempDir::new().unwrap();
    copy_files("data/sample", folder.path());
    copy_files("examples", folder.path());
    let loaded = uptally(["ingest", "data/sample"]).current_dir(folder.path()).output().unwrap();
    assert!(loaded.status.success());
    let before = contents(folder.path());
    let mut terminal = Terminal::open(folder.path());
    let mut ran = 0;
    for session in sessions(document) {
        for (command, expected) in session {
            if is_of_a_checkout(&command)? {
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

/// Documents are followed at the same time, each in a checkout of its own.
#[test]
fn the_commands_of_the_documents_print_what_they_say() {
    let pages: Vec<Page> =
        pages().into_iter().filter(|page| !sessions(&page.text).is_empty()).collect();
    let followed: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            pages.iter().map(|page| scope.spawn(move || follow(&page.text))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut ran = 0;
    let mut wrong = Vec::new();
    for (page, followed) in pages.iter().zip(followed) {
        match followed {
            Ok(commands) => ran += commands,
            Err(sentence) => wrong.push(format!("{}: {sentence}", page.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ran >= 100, "{ran}");
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
    check("$ tests/nothing/run --all", "there is no tests/nothing/run");
    check("$ cargo nothing", "cargo nothing: ");
}

#[test]
fn the_library_prints_what_the_commands_do() {
    const SQL: &str = "SELECT store_id, polls FROM stores ORDER BY store_id";
    let folder = TempDir::new().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
    let printed = block_on(async {
        library::load_files(folder.path(), vec![sample]).await.unwrap();
        let report = library::report(folder.path()).await.unwrap();
        [report, library::query(folder.path(), SQL).await.unwrap()]
    });
    let data = folder.path().to_str().unwrap();
    let commands = [vec!["report", "--data", data], vec!["sql", "--data", data, SQL]];
    let expected = commands.map(|arguments| uptally(arguments).output().unwrap().stdout);
    assert_eq!(printed.map(String::from_utf8), expected.map(String::from_utf8));
}

#[test]
fn every_function_that_the_prompt_lists_is_described() {
    let folder = TempDir::new().unwrap();
    let (data, commands) = (folder.path().join("data"), folder.path().join("commands"));
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
    block_on(ingest(&data, &[sample.as_path()])).unwrap();
    std::fs::write(&commands, "\\h\n").unwrap();
    let (data, commands) = (data.to_str().unwrap(), commands.to_str().unwrap());
    let listed = uptally(["sql", "--data", data, "-f", commands]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let ours = listed.lines().take_while(|line| !line.is_empty());
    let names: Vec<_> = ours.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 40, "{listed}");
    let page = document("sql.md");
    for name in names {
        let is_named =
            [format!("`{name}`"), format!("`{name}(")].iter().any(|at| page.contains(at));
        assert!(is_named, "{name}");
    }
}

/// Text of a document in `docs`.
fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn options_and_formats_are_named_where_they_can_be_given() {
    let (http, command_line) = (document("http.md"), document("command-line.md"));
    for name in ReportOption::ALL.map(ReportOption::name) {
        assert!(http.contains(&format!("`{name}`")), "{name}");
    }
    for format in Format::ALL {
        assert!(http.contains(&format!("`{}`", format.ending())), "{format}");
        for ending in format.endings() {
            assert!(command_line.contains(&format!("`.{ending}`")), "{ending}");
        }
    }
}

#[test]
fn every_path_of_the_service_is_described() {
    let page = document("http.md");
    let is_between = |letter: char| !(letter.is_ascii_alphanumeric() || "-_.".contains(letter));
    let words: BTreeSet<&str> = page.split(is_between).collect();
    for route in ROUTES {
        for part in route.path.split('/').filter(|part| !part.is_empty() && !part.contains('{')) {
            assert!(words.contains(part), "{}", route.path);
        }
    }
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
