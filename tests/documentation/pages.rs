//! Documents of the project: their number, and that their references exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest line of a document, in characters.
const COLUMNS_MAX: usize = 100;
/// Size of a README that fits one screen or two.
const README_BYTES_MAX: usize = 6_000;

/// A document.
pub struct Page {
    /// Its path below the root, with slashes.
    pub name: String,
    pub text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder, whose names end so.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Every document that is kept as this module checks it.
pub fn pages() -> Vec<Page> {
    let top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root().join(name));
    let page = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        Page { text: fs::read_to_string(&path).unwrap(), name }
    };
    top.into_iter().chain(files("docs", ".md")).map(page).collect()
}

/// The lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_fenced = false;
    text.lines().filter(move |line| {
        let is_fence = line.starts_with("```");
        is_fenced ^= is_fence;
        !is_fenced && !is_fence
    })
}

/// Anchor of a heading: its words in lower case, joined by hyphens.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().chars();
    let kept = kept.filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn anchors(text: &str) -> BTreeSet<String> {
    prose(text).filter(|line| line.starts_with('#')).map(anchor).collect()
}

/// Link targets of a page within the project, as written.
fn links(text: &str) -> Vec<&str> {
    let after = prose(text).flat_map(|line| line.split("](").skip(1));
    let targets = after.filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).collect()
}

/// Reason why a link is broken; `None` if it is not.
fn broken(page: &Page, link: &str) -> Option<String> {
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let here = root().join(&page.name);
    let target = if path.is_empty() { here } else { here.parent().unwrap().join(path) };
    if !target.exists() {
        return Some(format!("{}: there is no {link}", page.name));
    }
    let has_heading = || anchors(&fs::read_to_string(&target).unwrap()).contains(heading);
    (!heading.is_empty() && !has_heading())
        .then(|| format!("{}: there is no heading {link}", page.name))
}

/// Paths of the project that a page names between backticks, without what stands behind them.
fn named_paths(text: &str) -> Vec<&str> {
    const FOLDERS: [&str; 10] = [
        ".ci/",
        ".github/",
        "benches/",
        "data/",
        "docs/",
        "examples/",
        "fuzz/",
        "queries/",
        "src/",
        "tests/",
    ];
    let named = prose(text).flat_map(|line| line.split('`').skip(1).step_by(2));
    let paths = named.filter_map(|named| named.split_whitespace().next());
    let is_path = |path: &&str| {
        let is_one =
            path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
        is_one && FOLDERS.iter().any(|folder| path.starts_with(folder))
    };
    paths.filter(is_path).collect()
}

/// Numbers of the rules that a text cites, and of their sections.
fn cited(text: &str) -> Vec<&str> {
    let after = text.split("semantics ").skip(1);
    let numbers = after.map(|rest| {
        let end = rest.find(|letter: char| !(letter.is_ascii_digit() || letter == '.'));
        rest[..end.unwrap_or(rest.len())].trim_end_matches('.')
    });
    numbers.filter(|number| !number.is_empty()).collect()
}

/// Numbers that can be cited.
fn rules(semantics: &str) -> BTreeSet<&str> {
    let numbers = semantics.lines().filter_map(|line| {
        line.strip_prefix("**").or(line.strip_prefix("## "))?.split([' ', '*']).next()
    });
    numbers.map(|number| number.trim_end_matches('.')).collect()
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_line_is_longer_than_a_hundred_columns() {
    let mut wrong = Vec::new();
    for Page { name, text } in pages() {
        let long = text.lines().enumerate().filter(|(_, line)| line.chars().count() > COLUMNS_MAX);
        wrong.extend(long.map(|(at, line)| format!("{name}:{}: {line}", at + 1)));
    }
    assert_none(&wrong);
}

#[test]
fn the_readme_is_short() {
    let readme = &pages()[0];
    assert_eq!(readme.name, "README.md");
    assert!(readme.text.len() < README_BYTES_MAX, "{} bytes", readme.text.len());
}

#[test]
fn links_lead_to_what_is_there() {
    let pages = pages();
    let all = pages.iter().map(|page| links(&page.text).len()).sum::<usize>();
    assert!(all > 50, "{all}");
    let broken = |page: &Page| {
        let links = links(&page.text);
        links.into_iter().filter_map(|link| broken(page, link)).collect::<Vec<_>>()
    };
    assert_none(&pages.iter().flat_map(broken).collect::<Vec<_>>());
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let text = "[a](README.md) [b](nothing.md)\n```\n[c](code.md)\n```\n[d](https://example.com)";
    let page = Page { name: "ARCHITECTURE.md".to_owned(), text: text.to_owned() };
    assert_eq!(links(&page.text), ["README.md", "nothing.md"]);
    assert_eq!(broken(&page, "README.md"), None);
    assert_eq!(broken(&page, "docs/semantics.md#9-sql"), None);
    for link in ["nothing.md", "#nothing", "docs/semantics.md#nothing"] {
        assert!(broken(&page, link).is_some(), "{link}");
    }
    assert_eq!(anchor("## 5. The `x`, and y_z"), "5-the-x-and-y_z");
}

#[test]
fn paths_that_documents_name_are_there() {
    let mut wrong = Vec::new();
    let mut named = 0;
    for Page { name, text } in pages() {
        for path in named_paths(&text) {
            named += 1;
            if !root().join(path).exists() {
                wrong.push(format!("{name}: there is no {path}"));
            }
        }
    }
    assert!(named > 20, "{named}");
    assert_none(&wrong);
}

/// The first column of the tables of a page, without their backticks.
fn first_column(text: &str) -> impl Iterator<Item = &str> {
    prose(text).filter_map(|line| line.strip_prefix("| `")?.split('`').next())
}

#[test]
fn the_operators_that_are_described_are_those_of_the_engine() {
    let page = fs::read_to_string(root().join("docs/query-engine.md")).unwrap();
    let described: BTreeSet<_> =
        first_column(&page).filter(|name| name.ends_with("Exec")).map(str::to_owned).collect();
    let mut found = BTreeSet::new();
    for path in files("src", ".rs") {
        let text = fs::read_to_string(path).unwrap();
        let after = text.split("\nimpl ExecutionPlan for ").skip(1);
        found.extend(after.filter_map(|rest| rest.split_whitespace().next().map(str::to_owned)));
    }
    assert_eq!(described, found);
    for name in found {
        let is_heading = |line: &str| line.starts_with("### ") && line.ends_with(&name);
        assert!(page.lines().any(is_heading), "{name}");
    }
}

#[test]
fn rules_that_are_cited_are_there() {
    let semantics = fs::read_to_string(root().join("docs/semantics.md")).unwrap();
    let rules = rules(&semantics);
    assert!(["1", "1.1", "5.3", "9.5"].iter().all(|number| rules.contains(number)), "{rules:?}");
    let sources = files("src", ".rs").into_iter().chain(files("tests", ".rs"));
    let cases = files("tests/golden", "case.txt").into_iter().chain(files("docs", ".md"));
    let mut wrong = Vec::new();
    let mut found = 0;
    for path in sources.chain(cases) {
        let text = fs::read_to_string(&path).unwrap();
        for number in cited(&text) {
            found += 1;
            if !rules.contains(number) {
                wrong.push(format!("{}: there is no rule {number}", path.display()));
            }
        }
    }
    assert!(found > 20, "{found}");
    assert_none(&wrong);
    assert_eq!(cited("as semantics 5.3. Of semantics and semantics 9"), ["5.3", "9"]);
}
