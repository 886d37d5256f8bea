//! Prompt commands: syntax, aliases, parsing and help.

use std::path::PathBuf;

use crate::report::Format;
use crate::rules::keyword::words;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Describes a command, or lists them all.
    Help(Option<String>),
    Quit,
    Tables,
    /// Lists the columns of a table, or of all tables.
    Schema(Option<String>),
    /// Sets the output format, or prints it.
    Mode(Option<Format>),
    /// Writes the rows of the next query to a file.
    Once(PathBuf),
    /// Turns timing on or off; `None` toggles it.
    Timer(Option<bool>),
    /// Sets or removes the value of `$NAME`; `None` lists all.
    Param(Option<(String, Option<String>)>),
    Read(PathBuf),
    /// Describes a function, or lists them all.
    Function(Option<String>),
}

/// Syntax and purpose of a command.
pub struct CommandSyntax {
    pub names: &'static [&'static str],
    pub argument: &'static str,
    purpose: &'static str,
}

pub const COMMANDS: [CommandSyntax; 10] = {
    const fn syntax(
        names: &'static [&'static str],
        argument: &'static str,
        purpose: &'static str,
    ) -> CommandSyntax {
        CommandSyntax { names, argument, purpose }
    }
    [
        syntax(&[".tables", "\\d", "\\dt", "\\dv"], "", "lists the tables and views"),
        syntax(&[".schema", "\\d"], "TABLE", "lists the columns of a table, or of all tables"),
        syntax(&["\\h", "\\df"], "FUNCTION", "describes a function, or lists them all"),
        syntax(&[".mode"], "MODE", "sets or prints the output format"),
        syntax(
            &[".once"],
            "FILE",
            "writes the rows of the next query to a file, in the format of its extension",
        ),
        syntax(&[".timer", "\\timing"], "on|off", "prints the time each query took"),
        syntax(&[".param"], "NAME VALUE", "sets $NAME; without VALUE removes it"),
        syntax(&[".read", "\\i"], "FILE", "runs the statements and commands of a file"),
        syntax(&[".help", "\\?"], "NAME", "describes a command or function, or lists all commands"),
        syntax(&[".quit", ".exit", "\\q"], "", "ends the session, like Ctrl-D"),
    ]
};

/// Words that users of other prompts type, and the command that each stands for.
///
/// No statement starts with any of them.
const ALIASES: [(&str, &str); 10] = [
    ("help", ".help"),
    ("?", ".help"),
    ("exit", ".quit"),
    ("quit", ".quit"),
    ("exit()", ".quit"),
    ("quit()", ".quit"),
    ("bye", ".quit"),
    (":q", ".quit"),
    (".q", ".quit"),
    ("\\quit", ".quit"),
];

/// Returns true if the line is a command, not the start of a statement.
pub fn is_command(line: &str) -> bool {
    let line = line.trim_start();
    let is_number =
        line.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    (line.starts_with(['.', '\\', '?']) && !is_number) || resolve_alias(line).is_some()
}

/// Resolves one of [`ALIASES`] to its command and argument; `None` for other lines.
fn resolve_alias(line: &str) -> Option<(&'static str, &str)> {
    let line = line.trim().trim_end_matches(';').trim_end();
    let (word, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let (_, command) = ALIASES.iter().find(|(known, _)| known.eq_ignore_ascii_case(word))?;
    // With several words after it, the line may be the start of a statement.
    let is_whole =
        argument.is_empty() || (*command == ".help" && !argument.contains(char::is_whitespace));
    is_whole.then_some((*command, argument.trim()))
}

/// Parses a command line.
///
/// # Errors
/// A message that says what was expected.
pub fn parse(line: &str) -> Result<Command, String> {
    let line = line.trim().trim_end_matches(';').trim_end();
    let (name, argument) = match resolve_alias(line) {
        Some(command) => command,
        None => line.split_once(char::is_whitespace).unwrap_or((line, "")),
    };
    let argument = unquoted(argument.trim());
    // Descriptions, for which psql wants the sign, are always shown.
    let name = match name.strip_suffix('+') {
        Some(plain) if plain.starts_with("\\d") => plain,
        _ => name,
    };
    let given = (!argument.is_empty()).then(|| argument.to_owned());
    let needed = |what: &str| given.clone().ok_or_else(|| format!("{name}: expected {what}"));
    Ok(match name {
        ".help" | "\\?" => Command::Help(given),
        ".quit" | ".exit" | "\\q" => Command::Quit,
        ".tables" | "\\dt" | "\\dv" => Command::Tables,
        "\\d" if given.is_none() => Command::Tables,
        ".schema" | "\\d" => Command::Schema(given),
        ".mode" => {
            let mode = given.map(|given| given.parse::<Format>());
            Command::Mode(mode.transpose().map_err(|wrong| format!("{name}: {wrong}"))?)
        }
        ".once" => Command::Once(needed("a file")?.into()),
        ".read" | "\\i" => Command::Read(needed("a file")?.into()),
        ".timer" | "\\timing" => match argument {
            "" => Command::Timer(None),
            "on" => Command::Timer(Some(true)),
            "off" => Command::Timer(Some(false)),
            _ => return Err(format!("{name}: {argument:?} is not one of on, off")),
        },
        ".param" => Command::Param(given.map(|given| {
            let (name, value) = given.split_once(char::is_whitespace).unwrap_or((&given, ""));
            let value = unquoted(value.trim());
            let is_given = given.split_whitespace().nth(1).is_some();
            (name.trim_start_matches('$').to_owned(), is_given.then(|| value.to_owned()))
        })),
        "\\h" | "\\df" => Command::Function(given),
        _ => return Err(unknown(name)),
    })
}

fn unquoted(text: &str) -> &str {
    let between = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    between('"').or_else(|| between('\'')).unwrap_or(text)
}

/// Help for a command, or all of them, a line each.
///
/// # Errors
/// When there is no such command.
pub fn help(name: Option<&str>) -> Result<String, String> {
    let bare = |name: &str| name.trim_start_matches(['.', '\\']).to_lowercase();
    let is_asked = |syntax: &&CommandSyntax| {
        name.is_none_or(|name| syntax.names.iter().any(|other| bare(other) == bare(name)))
    };
    let lines = COMMANDS.iter().filter(is_asked).map(|syntax| {
        let names = syntax.names.join(" or ");
        let usage = format!("{names} {}", syntax.argument);
        format!("{usage:<26} {}\n", syntax.purpose)
    });
    let lines = lines.collect::<String>();
    match name {
        Some(name) if lines.is_empty() => Err(unknown(name)),
        Some(_) => Ok(lines),
        None => {
            let modes: Vec<_> = words(Format::KEYWORDS).collect();
            let modes = modes.join(", ");
            Ok(format!(
                "{lines}Modes are {modes}. A statement ends with `;`; help, quit and exit need no dot.\n"
            ))
        }
    }
}

fn unknown(name: &str) -> String {
    if matches!(name, ".output" | "\\o" | "\\g" | "\\copy") {
        return format!(
            "there is no command {name:?}; .once FILE writes the rows of the next query to a file"
        );
    }
    format!("there is no command {name:?}; .help lists them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<Command, &str>) {
        assert_eq!(parse(line), expected.map_err(str::to_owned), "{line}");
    }

    #[test]
    fn commands_are_parsed() {
        check(".tables", Ok(Command::Tables));
        check("\\d", Ok(Command::Tables));
        check("\\dv", Ok(Command::Tables));
        check("\\dt+", Ok(Command::Tables));
        check("\\d polls", Ok(Command::Schema(Some("polls".into()))));
        check("\\d+ polls", Ok(Command::Schema(Some("polls".into()))));
        check("\\d \"polls\";", Ok(Command::Schema(Some("polls".into()))));
        check(".schema", Ok(Command::Schema(None)));
        check(".mode", Ok(Command::Mode(None)));
        check("  .mode ndjson", Ok(Command::Mode(Some(Format::Ndjson))));
        check(".once 'my rows.csv'", Ok(Command::Once("my rows.csv".into())));
        check(".timer on", Ok(Command::Timer(Some(true))));
        check("\\timing", Ok(Command::Timer(None)));
        check(".help once", Ok(Command::Help(Some("once".into()))));
        check(".param", Ok(Command::Param(None)));
        check(".param a", Ok(Command::Param(Some(("a".into(), None)))));
        let param = |value: &str| Ok(Command::Param(Some(("a".into(), Some(value.into())))));
        check(".param $a '2023-01-24 12:00'", param("2023-01-24 12:00"));
        check(".param a 1 b", param("1 b"));
        check(".param a ''", param(""));
        check(".read a.sql", Ok(Command::Read("a.sql".into())));
        check("\\h open_spans", Ok(Command::Function(Some("open_spans".into()))));
        check("\\q", Ok(Command::Quit));
        check("\\i a.sql", Ok(Command::Read("a.sql".into())));
    }

    #[test]
    fn words_of_other_prompts_are_commands() {
        for line in [
            "exit", "quit", "EXIT", "Quit;", "exit ;", "exit()", "quit();", "bye", ":q", ".q",
            ".exit", ".quit;", "\\q", "\\q;", "\\quit", "  exit  ",
        ] {
            assert!(is_command(line), "{line}");
            check(line, Ok(Command::Quit));
        }
        for line in ["help", "HELP;", "?", "?;", "\\?", ".help", " help "] {
            assert!(is_command(line), "{line}");
            check(line, Ok(Command::Help(None)));
        }
        check("help uptime", Ok(Command::Help(Some("uptime".into()))));
        check("? once;", Ok(Command::Help(Some("once".into()))));
        for line in
            ["exit code", "quit FROM", "helper", "help me please", "exits", "SELECT 1", ".5", ""]
        {
            assert!(!is_command(line), "{line}");
        }
    }

    #[test]
    fn invalid_commands_say_what_was_expected() {
        check(".drop", Err("there is no command \".drop\"; .help lists them"));
        check(
            ".output a.csv",
            Err(
                "there is no command \".output\"; .once FILE writes the rows of the next query to a file",
            ),
        );
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
    fn every_syntax_is_a_command() {
        for syntax in &COMMANDS {
            for name in syntax.names {
                let argument = syntax.argument.split('|').next().unwrap().replace("MODE", "csv");
                assert!(parse(&format!("{name} {argument}")).is_ok(), "{name}");
            }
            assert!(help(None).unwrap().contains(syntax.purpose));
            assert!(help(Some(syntax.names[0])).unwrap().contains(syntax.purpose));
        }
    }
}
