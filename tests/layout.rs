//! Unit tests have one layout: a module `tests`, which ends the file, with the tests inline if they
//! are short, or else in a file `tests.rs`.

use std::fs;
use std::path::Path;

/// Lines of the longest tests that stand inline.
const INLINE_LINES_MAX: usize = 150;

/// Deviation of a file below `src` from the layout; `None` if it has the layout or no tests.
fn deviation(file: &str, text: &str) -> Option<&'static str> {
    if file.ends_with("tests/mod.rs") {
        return Some("its name is tests.rs, beside the folder");
    }
    let lines: Vec<&str> = text.lines().collect();
    let is_module = |(at, line): (usize, &&str)| {
        let is_of_tests = ["#[cfg(test)]", "#[cfg(all(test, "].map(|cfg| line.contains(cfg));
        let item = lines[at + 1..].iter().find(|line| !line.trim_start().starts_with("#["));
        is_of_tests.contains(&true) && item.is_some_and(|item| item.contains("mod "))
    };
    let start = lines.iter().enumerate().position(is_module).unwrap_or(lines.len());
    let (code, tests) = lines.split_at(start);
    let is_of_tests = file.ends_with("tests.rs") || file.contains("tests/");
    if !is_of_tests && code.iter().any(|line| line.contains("#[test]")) {
        return Some("a test is outside of the module `tests`");
    }
    match tests {
        [] | ["#[cfg(test)]", "mod tests;"] => None,
        // A brace at the margin ends the module.
        [cfg, "mod tests {", inner @ .., "}"] if cfg.starts_with('#') && !inner.contains(&"}") => {
            (tests.len() > INLINE_LINES_MAX).then_some("its tests are long: move them to tests.rs")
        }
        _ => Some("it does not end with its tests, in a module `tests`"),
    }
}

/// Checks the files below a folder, and returns the number of those with tests.
fn check_below(folder: &Path, deviations: &mut Vec<String>) -> usize {
    let mut with_tests = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            with_tests += check_below(&path, deviations);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let file = path.to_str().unwrap().replace('\\', "/");
            with_tests += usize::from(text.contains("#[cfg(test)]"));
            deviations.extend(deviation(&file, &text).map(|what| format!("{file}: {what}")));
        }
    }
    with_tests
}

#[test]
fn modules_of_tests_have_one_layout() {
    let mut deviations = Vec::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let with_tests = check_below(&src, &mut deviations);
    assert!(deviations.is_empty(), "{}", deviations.join("\n"));
    assert!(with_tests >= 100, "{with_tests}");
}

#[test]
fn other_layouts_are_found() {
    #[track_caller]
    fn check(file: &str, text: &str, expected: Option<&str>) {
        let found = deviation(file, text);
        let is_expected = found.zip(expected).is_some_and(|(found, part)| found.contains(part));
        assert!(is_expected || found == expected, "{file}: {text}: {found:?}");
    }
    let inline = "fn a() {\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn b() {}\n}\n";
    let long = inline.replace("    fn b() {}\n", &"    fn b() {}\n".repeat(INLINE_LINES_MAX));
    check("a.rs", "fn a() {}\n", None);
    check("a.rs", "#[cfg(test)]\nuse b::c;\n\n#[cfg(test)]\nmod tests;\n", None);
    check("a.rs", inline, None);
    check("a.rs", &inline.replace("(test)", "(all(test, unix))"), None);
    check("a.rs", &long, Some("long"));
    check("a.rs", &format!("{inline}\nfn c() {{}}\n"), Some("does not end"));
    check("a.rs", &format!("{inline}\nfn c() {{\n}}\n"), Some("does not end"));
    check("a.rs", "#[cfg(test)]\nmod tests;\n\nmod b;\n", Some("does not end"));
    check("a.rs", "#[cfg(test)]\nmod drawn;\n", Some("does not end"));
    check("a.rs", "#[cfg(test)]\n#[path = \"b.rs\"]\nmod tests;\n", Some("does not end"));
    check("a.rs", "mod b {\n    #[cfg(test)]\n    mod tests {\n    }\n}\n", Some("does not end"));
    check("a.rs", "#[test]\nfn b() {}\n", Some("outside"));
    check("a/tests.rs", "mod b;\n\n#[test]\nfn c() {}\n", None);
    check("a/tests/b.rs", "#[test]\nfn c() {}\n", None);
    check("a/tests/mod.rs", "mod b;\n", Some("tests.rs"));
}
