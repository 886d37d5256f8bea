//! Golden files: a text is compared with a file as a whole. `BLESS=1` writes the files.

use std::path::Path;

/// True if golden files are to be written instead of compared, which nobody reads in CI.
pub fn are_blessed() -> bool {
    let is_set = |name| std::env::var_os(name).is_some();
    assert!(!(is_set("BLESS") && is_set("CI")), "BLESS would write what CI compares; unset one");
    is_set("BLESS")
}

/// Compares a text with a golden file, or writes the file if golden files are blessed.
///
/// # Errors
/// Names the file, and the first line in which the text differs.
pub fn compare(file: &Path, found: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    if are_blessed() {
        return std::fs::write(file, found).map_err(failed);
    }
    let expected = std::fs::read_to_string(file).map_err(failed)?;
    match difference(&expected, found) {
        Some(difference) => Err(format!("{}{difference}", file.display())),
        None => Ok(()),
    }
}

/// Number of the first line that differs, and that line of both; `None` if the texts are the same.
fn difference(expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let alike = |(expected, found): &(&str, &str)| expected == found;
    let pairs = expected.split_inclusive('\n').zip(found.split_inclusive('\n'));
    let line = pairs.take_while(alike).count();
    let shown = |text: &str| format!("{:?}", text.split_inclusive('\n').nth(line).unwrap_or(""));
    Some(format!(":{}\n  expected {}\n  found    {}", line + 1, shown(expected), shown(found)))
}

#[test]
fn the_first_line_that_differs_is_told() {
    let expected = "one\ntwo\n";
    assert_eq!(difference(expected, "one\ntwo\n"), None);
    for (found, told) in [
        ("one\n2\n", ":2\n  expected \"two\\n\"\n  found    \"2\\n\""),
        ("one\n", ":2\n  expected \"two\\n\"\n  found    \"\""),
        ("one\ntwo\n3\n", ":3\n  expected \"\"\n  found    \"3\\n\""),
        ("one\ntwo", ":2\n  expected \"two\\n\"\n  found    \"two\""),
    ] {
        assert_eq!(difference(expected, found).as_deref(), Some(told));
    }
}
