//! Strips the engine's framing from messages, and decides whether the rest can be shown.

use datafusion::error::DataFusionError;

use super::sql_types;

/// Strips backtraces, repeated causes and names of error kinds.
pub fn plain(words: &str) -> String {
    const KINDS: [&str; 14] = [
        "Error during planning: ",
        "Execution error: ",
        "External error: ",
        "Internal error: ",
        "Schema error: ",
        "Arrow error: ",
        "SQL error: ",
        "This feature is not implemented: ",
        "Parser error: ",
        "Cast error: ",
        "Invalid argument error: ",
        "Compute error: ",
        "Arithmetic overflow: ",
        "Not yet implemented: ",
    ];
    let words = words.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or_default();
    let words = words.rsplit("\ncaused by\n").next().unwrap_or_default();
    // The message of the function with the invalid arguments suffices.
    let words = words.split_once(" coercion failed with: ").map_or(words, |(_, words)| words);
    let mut words = words.trim();
    while let Some(rest) = KINDS.iter().find_map(|kind| words.strip_prefix(kind)) {
        words = rest;
    }
    let cut = [" No function matches the given", "This issue was likely caused by"];
    for cut in cut {
        words = words.split_once(cut).map_or(words, |(words, _)| words);
    }
    words.trim().trim_end_matches('.').to_owned()
}

/// Returns whether a message reads like ours: outside quotes it has no internal names of the engine
/// and no debug output of Rust.
pub fn is_plain(words: &str) -> bool {
    const FOREIGN: [&str; 23] = [
        "datafusion",
        "arrow ",
        "parquet",
        "filter predicate",
        "sqltorel",
        "::",
        "{",
        "}",
        "://",
        "some(",
        "none)",
        "panick",
        "this issue",
        "bug in",
        "udf",
        "expr ",
        "coerc",
        "downcast",
        "schema",
        "signature",
        "logical",
        "physical",
        "internal",
    ];
    let bare = sql_types::unquoted(words);
    let lower = bare.to_lowercase() + " ";
    let is_foreign = FOREIGN.iter().any(|foreign| lower.contains(foreign));
    let is_code = bare.split(|sign: char| !sign.is_alphanumeric() && sign != '_').any(is_code);
    !is_foreign && !is_code
}

/// Lower-cases the first letter, as our sentences begin; words in capitals stay.
pub fn lower_first(words: &str) -> String {
    let mut signs = words.chars();
    match (signs.next(), signs.next()) {
        (Some(first), Some(second)) if first.is_ascii_uppercase() && second.is_lowercase() => {
            format!("{}{}", first.to_ascii_lowercase(), &words[1..])
        }
        _ => words.to_owned(),
    }
}

/// Returns whether a word looks like a Rust type name, such as `SortMergeJoinExec`.
pub fn is_code(word: &str) -> bool {
    let capitals = word.chars().filter(|sign| sign.is_uppercase()).count();
    let small = word.chars().filter(|sign| sign.is_lowercase()).count();
    capitals > 1
        && small > capitals
        && word.starts_with(char::is_uppercase)
        && word != "PostgreSQL"
        && !word.contains('_')
}
