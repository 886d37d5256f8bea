//! The commands of the prompt: what each is called, and what it asks for.

use std::path::PathBuf;

use crate::report::Format;
use crate::words::{FORMATS, meaning};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    Quit,
    Tables,
    /// The columns of a table; of all where none is named.
    Schema(Option<String>),
    /// What rows look like; tells it where nothing is given.
    Mode(Option<Format>),
    /// Where the rows of the next query go.
    Once(PathBuf),
    Timer(bool),
    Read(PathBuf),
    /// What a function does; lists them all where none is named.
    Function(Option<String>),
}

/// How a command is written, and what it does.
pub struct Spelling {
    pub names: &'static [&'static str],
    pub argument: &'static str,
    purpose: &'static str,
}

pub const SPELLINGS: [Spelling; 9] = {
    const fn spelling(
        names: &'static [&'static str],
        argument: &'static str,
        purpose: &'static str,
    ) -> Spelling {
        Spelling { names, argument, purpose }
    }
    [
        spelling(&[".tables", "\\d", "\\dt"], "", "lists the tables"),
        spelling(&[".schema", "\\d"], "TABLE", "lists the columns of a table, or of all tables"),
        spelling(&["\\h", "\\df"], "FUNCTION", "tells what a function does, or lists them all"),
        spelling(&[".mode"], "MODE", "sets or tells what rows look like"),
        spelling(&[".once"], "FILE", "writes the rows of the next query to a file"),
        spelling(&[".timer"], "on|off", "tells how long each query took"),
        spelling(&[".read"], "FILE", "runs the statements and commands of a file"),
        spelling(&[".help", "\\?"], "", "lists the commands"),
        spelling(&[".quit", ".exit", "\\q"], "", "ends, as Ctrl-D does"),
    ]
};

/// What the line asks for.
///
/// # Errors
/// Says what was expected.
pub fn parse(line: &str) -> Result<Command, String> {
    let line = line.trim().trim_end_matches(';').trim_end();
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let argument = unquoted(argument.trim());
    let given = (!argument.is_empty()).then(|| argument.to_owned());
    let needed = |what: &str| given.clone().ok_or_else(|| format!("{name}: expected {what}"));
    Ok(match name {
        ".help" | "\\?" => Command::Help,
        ".quit" | ".exit" | "\\q" => Command::Quit,
        ".tables" | "\\dt" => Command::Tables,
        "\\d" if given.is_none() => Command::Tables,
        ".schema" | "\\d" => Command::Schema(given),
        ".mode" => {
            let mode = given.map(|given| meaning(FORMATS, &given));
            Command::Mode(mode.transpose().map_err(|wrong| format!("{name}: {wrong}"))?)
        }
        ".once" => Command::Once(needed("a file")?.into()),
        ".read" => Command::Read(needed("a file")?.into()),
        ".timer" => match needed("on or off")?.as_str() {
            "on" => Command::Timer(true),
            "off" => Command::Timer(false),
            _ => return Err(format!("{name}: {argument:?} is not one of on, off")),
        },
        "\\h" | "\\df" => Command::Function(given),
        _ => return Err(format!("there is no command {name:?}; .help lists those that there are")),
    })
}

fn unquoted(text: &str) -> &str {
    let between = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    between('"').or_else(|| between('\'')).unwrap_or(text)
}

/// All commands, a line each.
pub fn help() -> String {
    let lines = SPELLINGS.iter().map(|spelling| {
        let names = spelling.names.join(" or ");
        let usage = format!("{names} {}", spelling.argument);
        format!("{usage:<26} {}\n", spelling.purpose)
    });
    let modes: Vec<_> = FORMATS.iter().map(|(word, _)| *word).collect();
    lines.collect::<String>()
        + &format!("Modes are {}. A statement ends with `;`.\n", modes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<Command, &str>) {
        assert_eq!(parse(line), expected.map_err(str::to_owned), "{line}");
    }

    #[test]
    fn a_command_is_told_by_its_name() {
        check(".tables", Ok(Command::Tables));
        check("\\d", Ok(Command::Tables));
        check("\\d polls", Ok(Command::Schema(Some("polls".into()))));
        check("\\d \"polls\";", Ok(Command::Schema(Some("polls".into()))));
        check(".schema", Ok(Command::Schema(None)));
        check(".mode", Ok(Command::Mode(None)));
        check("  .mode ndjson", Ok(Command::Mode(Some(Format::Ndjson))));
        check(".once 'my rows.csv'", Ok(Command::Once("my rows.csv".into())));
        check(".timer on", Ok(Command::Timer(true)));
        check(".read a.sql", Ok(Command::Read("a.sql".into())));
        check("\\h open_spans", Ok(Command::Function(Some("open_spans".into()))));
        check("\\q", Ok(Command::Quit));
    }

    #[test]
    fn a_command_that_is_none_hears_what_was_expected() {
        check(".drop", Err("there is no command \".drop\"; .help lists those that there are"));
        check(".once", Err(".once: expected a file"));
        check(".timer soon", Err(".timer: \"soon\" is not one of on, off"));
        check(
            ".mode xml",
            Err(
                ".mode: \"xml\" is not one of csv, json, ndjson, parquet, arrow, arrows, table, markdown",
            ),
        );
    }

    #[test]
    fn every_spelling_is_a_command() {
        for spelling in &SPELLINGS {
            for name in spelling.names {
                let argument = spelling.argument.split('|').next().unwrap().replace("MODE", "csv");
                assert!(parse(&format!("{name} {argument}")).is_ok(), "{name}");
            }
            assert!(help().contains(spelling.purpose));
        }
    }
}
