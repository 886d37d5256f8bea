//! Imports between modules, and uses of crates, must be those listed in ARCHITECTURE.md; files do
//! not import each other in a circle.
//!
//! The blocks ```` ```modules ```` and ```` ```crates ```` of that page are the data of this test.
//! It reads the sources as text: comments, literals and tests are blanked, and the rest is searched
//! for paths that begin with `crate`, `super` or `self`.

mod circles;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use self::circles::Files;
use self::source::{Source, starts};

/// A name of the page, and the names after its arrow.
type Row = (String, BTreeSet<String>);
/// From one module to another or from a crate to a module, with a place where it is so.
type Edges = BTreeMap<(String, String), String>;

/// The rows of a fenced block: a name at the start of a line and, after an arrow there or on the
/// lines below, a list of names.
fn rows(page: &str, fence: &str) -> Vec<Row> {
    let opening = format!("```{fence}");
    let below = page.lines().skip_while(|line| *line != opening).skip(1);
    let mut rows: Vec<Row> = Vec::new();
    let mut is_list = false;
    for line in below.take_while(|line| *line != "```") {
        if !line.starts_with(' ') {
            let name = line.split_whitespace().next().expect("a row begins with its name");
            rows.push((name.to_owned(), BTreeSet::new()));
            is_list = false;
        }
        let listed = match line.split_once('→') {
            Some((_, listed)) => {
                is_list = true;
                listed
            }
            None if is_list => line,
            None => "",
        };
        let (_, names) = rows.last_mut().expect("the first line has a name");
        names.extend(listed.split_whitespace().map(str::to_owned));
    }
    rows
}

/// The row with the longest name that is a start of the path.
fn row<'a>(rows: &'a [Row], path: &[String]) -> Option<&'a str> {
    let names = rows.iter().map(|(name, _)| name.as_str());
    let is_above = |name: &&str| {
        let mut path = path.iter();
        name.split('/').all(|segment| path.next().is_some_and(|found| found == segment))
    };
    names.filter(is_above).max_by_key(|name| name.len())
}

/// Imports between the rows.
///
/// # Panics
/// If a file belongs to no row.
fn edges(modules: &[Row], sources: &[Source]) -> Edges {
    let mut edges = Edges::new();
    for source in sources.iter().filter(|source| !source.module.is_empty()) {
        let from = row(modules, &source.module)
            .unwrap_or_else(|| panic!("src/{}: its module is not in ARCHITECTURE.md", source.file));
        let mut add = |to: &str, line: usize| {
            let place = || format!("src/{}:{line}", source.file);
            if to != from {
                edges.entry((from.to_owned(), to.to_owned())).or_insert_with(place);
            }
        };
        for (path, line) in source.imports() {
            // Items of the root belong to no module.
            row(modules, &path).into_iter().for_each(|to| add(to, line));
        }
        // A module names those within it without saying where they are.
        for (name, _) in modules {
            let within = name.strip_prefix(&source.module.join("/"));
            let Some(last) = within.and_then(|rest| rest.strip_prefix('/')) else { continue };
            for at in starts(&source.code, last) {
                add(name, source.line(at));
            }
        }
    }
    edges
}

/// Modules in which each crate is used.
fn homes(crates: &[Row], modules: &[Row], sources: &[Source]) -> Edges {
    let mut homes = Edges::new();
    for source in sources {
        let Some(module) = row(modules, &source.module) else { continue };
        for (name, _) in crates {
            if let Some(at) = starts(&source.code, name).first() {
                let place = format!("src/{}:{}", source.file, source.line(*at));
                homes.entry((name.clone(), module.to_owned())).or_insert(place);
            }
        }
    }
    homes
}

/// Differences between the rows and the sources, a sentence each.
fn differences(rows: &[Row], found: &Edges) -> Vec<String> {
    let mut differences = Vec::new();
    for ((from, to), place) in found {
        let listed = rows.iter().find(|(name, _)| name == from);
        if listed.is_none_or(|(_, names)| !names.contains(to)) {
            differences.push(format!("{place}: {from} → {to} is not in ARCHITECTURE.md"));
        }
    }
    for (from, names) in rows {
        for to in names.iter().filter(|to| !found.contains_key(&(from.clone(), (*to).clone()))) {
            differences.push(format!("ARCHITECTURE.md: {from} → {to} is not in the code"));
        }
    }
    differences
}

/// Imports of rows further up, which are circles; modules within one may import each other.
fn upward(modules: &[Row]) -> Vec<String> {
    let top = |name: &str| name.split('/').next().map(str::to_owned);
    let mut upward = Vec::new();
    for (at, (from, names)) in modules.iter().enumerate() {
        let above = modules[..at].iter().map(|(name, _)| name);
        for to in above.filter(|to| names.contains(*to) && top(to) != top(from)) {
            upward.push(format!("{from} imports {to}, which is further up"));
        }
    }
    upward
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every file below `src`, but for those that only tests have.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    files_below(&root, &mut files);
    files.sort();
    let source = |path: &PathBuf| {
        let file = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        Source::new(&file, &fs::read_to_string(path).unwrap())
    };
    let mut sources: Vec<_> = files.iter().map(source).collect();
    let tests: BTreeSet<Vec<String>> = sources
        .iter()
        .flat_map(|source| {
            let within =
                |name: &String| [source.module.as_slice(), std::slice::from_ref(name)].concat();
            source.tests.iter().map(within).collect::<Vec<_>>()
        })
        .collect();
    let is_test = |module: &[String]| (1..=module.len()).any(|end| tests.contains(&module[..end]));
    sources.retain(|source| !is_test(&source.module));
    sources
}

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap()
}

#[test]
fn modules_import_what_the_map_lists() {
    let modules = rows(&page(), "modules");
    assert!(modules.len() >= 10, "{modules:?}");
    let found = differences(&modules, &edges(&modules, &sources()));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_module_imports_one_further_up() {
    let found = upward(&rows(&page(), "modules"));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let found = Files::new(&sources()).circles();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn crates_are_used_where_the_map_lists_them() {
    let page = page();
    let (modules, crates) = (rows(&page, "modules"), rows(&page, "crates"));
    assert!(crates.len() >= 10, "{crates:?}");
    let found = differences(&crates, &homes(&crates, &modules, &sources()));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A map of four modules.
const MAP: &str = "```modules\n\
    top        what is seen first\n           → top/inner\n             base\n\
    top/inner  → top\n\
    other      nothing of top\n\
    base       nothing of any\n\
    ```\n";

#[track_caller]
fn check(file: &str, text: &str, expected: &[(&str, &str)]) {
    let modules = rows(MAP, "modules");
    let found = edges(&modules, &[Source::new(file, text)]);
    let found: Vec<_> = found.keys().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    assert_eq!(found, expected, "{file}: {text}");
}

#[test]
fn imports_are_found_in_every_spelling() {
    check("top/a.rs", "use crate::base::Span;", &[("top", "base")]);
    check(
        "top/a.rs",
        "use crate::{other::{a, b as c}, base};",
        &[("top", "base"), ("top", "other")],
    );
    check("top/a.rs", "use crate::{\n    Error,\n    base::*,\n};", &[("top", "base")]);
    check("top/a.rs", "fn a() { crate::base::b() }", &[("top", "base")]);
    check("top/mod.rs", "mod inner;\nuse self::inner::A;", &[("top", "top/inner")]);
    check("top/mod.rs", "mod inner;\nfn a() { inner::b() }", &[("top", "top/inner")]);
    check("top/inner/a.rs", "use super::super::b;", &[("top/inner", "top")]);
    check("top/inner/a.rs", "use super::b;", &[]);
    check("top/inner.rs", "use super::super::base::b;", &[("top/inner", "base")]);
    check("top/inner.rs", "mod c { use super::super::b; }", &[("top/inner", "top")]);
    check("base.rs", "pub(crate) use crate::other::A;", &[("base", "other")]);
}

#[test]
fn texts_and_tests_import_nothing() {
    check("base.rs", "// use crate::other::A;\n/* crate::other::B */ /// [`crate::other`]", &[]);
    check(
        "base.rs",
        r##"const A: &str = "\"crate::other::B"; const B: &str = r#""crate::other::"#;"##,
        &[],
    );
    check(
        "base.rs",
        "const A: [char; 3] = ['\"', '\\'', 'é']; use crate::other::B;",
        &[("base", "other")],
    );
    check("base.rs", "fn a<'a>(b: &'a str) -> crate::other::B<'a> {}", &[("base", "other")]);
    check("base.rs", "#[cfg(test)]\nmod tests { fn a() { crate::other::b() } }", &[]);
    check(
        "base.rs",
        "#[cfg(test)]\nuse crate::other::{A, B};\nuse crate::top::C;",
        &[("base", "top")],
    );
    check("base.rs", "#[cfg(not(test))]\nuse crate::other::A;", &[("base", "other")]);
    let source = Source::new("base.rs", "#[cfg(test)]\n#[path = \"x\"]\npub mod drawn;\nmod kept;");
    assert_eq!(source.tests, ["drawn"]);
}

#[test]
fn a_map_that_lies_is_found_out() {
    let modules = rows(MAP, "modules");
    let sources = [
        Source::new("top/mod.rs", "use crate::base::A;\nuse self::inner::B;"),
        Source::new("base.rs", "\nuse crate::other::C;"),
    ];
    let found = differences(&modules, &edges(&modules, &sources));
    let expected = [
        "src/base.rs:2: base → other is not in ARCHITECTURE.md",
        "ARCHITECTURE.md: top/inner → top is not in the code",
    ];
    assert_eq!(found, expected);
    assert!(upward(&modules).is_empty());
    let upside_down = MAP.replace("base       nothing of any", "base  → top other");
    let expected =
        ["base imports top, which is further up", "base imports other, which is further up"];
    assert_eq!(upward(&rows(&upside_down, "modules")), expected);
    let crates = rows("```crates\nclap  → top\n```", "crates");
    let sources = [Source::new("base.rs", "use clap::Args;")];
    let found = differences(&crates, &homes(&crates, &modules, &sources));
    let expected = [
        "src/base.rs:1: clap → base is not in ARCHITECTURE.md",
        "ARCHITECTURE.md: clap → top is not in the code",
    ];
    assert_eq!(found, expected);
}
