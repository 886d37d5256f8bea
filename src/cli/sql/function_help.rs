//! Help texts of SQL functions, for `\h`.

use std::fmt::Write as _;

use datafusion::execution::SessionState;
use datafusion::logical_expr::Documentation;

use crate::functions::documented::{Documented, Kind};
use crate::sql::{columns_of, documented};

/// Documentation of a function; without a name, summaries of uptally's functions and names of the
/// others.
///
/// # Errors
/// When there is no such function.
pub fn help(state: &SessionState, name: Option<&str>) -> Result<String, String> {
    let Some(name) = name else { return Ok(list(state)) };
    let name = name.trim_end_matches("()").to_lowercase();
    // A table function and a scalar may share a name.
    let ours: Vec<_> = documented().filter(|ours| ours.name == name).collect();
    if !ours.is_empty() {
        let page = |ours: &&Documented| match ours.kind {
            Kind::Table => format!("{ours}{}", columns(&name)),
            _ => ours.to_string(),
        };
        return Ok(ours.iter().rev().map(page).collect::<Vec<_>>().join("\n\n"));
    }
    match documentation(state, &name) {
        Some(documentation) => Ok(text(documentation)),
        None if names(state).contains(&name) => Ok(format!("{name} is not documented\n")),
        None => Err(format!("there is no function {name:?}; \\h lists them")),
    }
}

/// Columns of a table function with their descriptions, a line each.
fn columns(name: &str) -> String {
    let width = columns_of(name).map(|(column, _)| column.len()).max().unwrap_or(0);
    let lines =
        columns_of(name).map(|(column, description)| format!("  {column:width$}  {description}\n"));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\ncolumns\n{lines}") }
}

fn list(state: &SessionState) -> String {
    let mut text = String::new();
    let mut ours = Vec::new();
    for function in documented() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:<26} {}", function.name, function.summary);
        ours.push(function.name);
    }
    text += "\nOther functions:\n";
    let mut line = String::new();
    for name in names(state).into_iter().filter(|name| !ours.contains(&name.as_str())) {
        if line.len() + name.len() > 90 {
            let _ = writeln!(text, " {line}");
            line.clear();
        }
        line = format!("{line} {name}");
    }
    let _ = writeln!(text, " {line}\n\n\\h NAME describes one.");
    text
}

/// Names of all functions, sorted.
pub fn names(state: &SessionState) -> Vec<String> {
    let mut names: Vec<_> = state
        .scalar_functions()
        .keys()
        .chain(state.aggregate_functions().keys())
        .chain(state.window_functions().keys())
        .chain(state.table_functions().keys())
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    names
}

fn documentation<'a>(state: &'a SessionState, name: &str) -> Option<&'a Documentation> {
    let scalar = state.scalar_functions().get(name).and_then(|found| found.documentation());
    let aggregate = || state.aggregate_functions().get(name)?.documentation();
    let window = || state.window_functions().get(name)?.documentation();
    scalar.or_else(aggregate).or_else(window)
}

fn text(documentation: &Documentation) -> String {
    let mut text = format!("{}\n\n{}\n", documentation.syntax_example, documentation.description);
    for (at, (name, purpose)) in documentation.arguments.iter().flatten().enumerate() {
        let gap = if at == 0 { "\n" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{gap}{name}: {purpose}");
    }
    if let Some(example) = &documentation.sql_example {
        let example = example.lines().filter(|line| !line.starts_with("```"));
        let _ = writeln!(text, "\n{}", example.collect::<Vec<_>>().join("\n"));
    }
    text
}
