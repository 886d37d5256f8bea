//! Splits lines into statements, which end with `;`, and commands, a line each.
//!
//! Shared by the prompt, files and pipes. DataFusion's tokenizer finds the ends of statements,
//! so that a `;` within quotes or a comment is ignored.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::commands::{Command, is_command, parse};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Line where the step starts, from 1.
    pub line: usize,
    pub action: Action,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Query(String),
    /// Command as typed: starts with `.` or `\`, or is an alias.
    Command(String),
}

/// Incremental reader; holds the unfinished statement.
#[derive(Debug, Default)]
pub struct StatementReader {
    pending: String,
    lines_read: usize,
    start_line: usize,
}

impl StatementReader {
    /// Adds a line; returns the steps that it completes.
    pub fn line(&mut self, line: &str) -> Vec<Step> {
        self.lines_read += 1;
        if self.pending.is_empty() {
            let line = line.trim();
            // Comments between steps belong to none.
            if is_blank(line) {
                return Vec::new();
            }
            self.start_line = self.lines_read;
            if is_command(line) {
                let action = Action::Command(line.to_owned());
                return vec![Step { line: self.lines_read, action }];
            }
        }
        self.pending.push_str(line);
        self.pending.push('\n');
        if !line.contains(';') {
            return Vec::new();
        }
        let (statements, rest) = statements(&self.pending);
        let lines_before = |at: usize| self.pending[..at].matches('\n').count();
        let steps = statements.into_iter().map(|(at, statement)| Step {
            line: self.start_line + lines_before(at),
            action: Action::Query(statement.to_owned()),
        });
        let steps = steps.collect();
        let rest = rest.trim().to_owned();
        self.start_line = self.lines_read;
        self.pending = if is_blank(&rest) { String::new() } else { rest + "\n" };
        steps
    }

    /// Returns the last statement, which had no `;`.
    pub fn end(self) -> Option<Step> {
        let statement = self.pending.trim().to_owned();
        let is_one = !is_blank(&statement);
        is_one.then_some(Step { line: self.start_line, action: Action::Query(statement) })
    }
}

/// Returns true if the text is complete; otherwise the prompt waits for more.
pub fn is_complete(text: &str) -> bool {
    is_command(text) || is_blank(statements(text).1) || exit_command(text).is_some()
}

/// Quit or help command on the last line of an unfinished statement: a user who types `exit` there
/// means to leave. `None` within quotes and comments, and for other commands.
pub fn exit_command(text: &str) -> Option<Command> {
    let (before, last) = text.trim_end().rsplit_once('\n')?;
    let is_tokenized = tokens(before).last().map_or(0, |(_, _, end)| *end) == before.len();
    let command = Some(last).filter(|line| is_command(line)).and_then(|line| parse(line).ok())?;
    let leaves = matches!(command, Command::Quit | Command::Help(None));
    (leaves && is_tokenized && !is_blank(statements(before).1)).then_some(command)
}

/// Splits text into statements without `;`, with their byte offsets, and the rest after the last.
fn statements(text: &str) -> (Vec<(usize, &str)>, &str) {
    let (mut found, mut from) = (Vec::new(), 0);
    for (token, start, end) in tokens(text) {
        if token == Token::SemiColon {
            let statement = &text[from..start];
            if !is_blank(statement) {
                let before = statement.len() - statement.trim_start().len();
                found.push((from + before, statement.trim()));
            }
            from = end;
        }
    }
    (found, &text[from..])
}

/// Returns true if the text holds only whitespace and comments.
fn is_blank(text: &str) -> bool {
    let found = tokens(text);
    // An unterminated quote follows the last token.
    let is_tokenized = found.last().map_or(0, |(_, _, end)| *end) == text.len();
    is_tokenized && found.iter().all(|(token, ..)| matches!(token, Token::Whitespace(_)))
}

/// Tokens with their start and end in bytes, up to the first error.
pub fn tokens(text: &str) -> Vec<(Token, usize, usize)> {
    let mut found = Vec::new();
    // On an error, the tokens before it are still used.
    let _ = Tokenizer::new(&GenericDialect {}, text)
        .with_unescape(false)
        .tokenize_with_location_into_buf(&mut found);
    let mut places = Places { text, at: 0, location: Location { line: 1, column: 1 } };
    let with_offsets = |TokenWithSpan { token, span }| {
        let start = places.byte_of(span.start);
        (token, start, places.byte_of(span.end))
    };
    found.into_iter().map(with_offsets).collect()
}

/// Converts ascending lines and columns to byte offsets.
struct Places<'a> {
    text: &'a str,
    at: usize,
    location: Location,
}

impl Places<'_> {
    fn byte_of(&mut self, wanted: Location) -> usize {
        for character in self.text[self.at..].chars() {
            if self.location >= wanted {
                break;
            }
            self.at += character.len_utf8();
            match character {
                '\n' => {
                    self.location = Location { line: self.location.line + 1, column: 1 };
                }
                _ => self.location.column += 1,
            }
        }
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(usize, &str)]) {
        let mut reader = StatementReader::default();
        let mut steps: Vec<_> = text.lines().flat_map(|line| reader.line(line)).collect();
        steps.extend(reader.end());
        let found: Vec<_> = steps
            .iter()
            .map(|step| match &step.action {
                Action::Query(text) | Action::Command(text) => (step.line, text.as_str()),
            })
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn statements_end_at_semicolons() {
        check("SELECT 1", &[(1, "SELECT 1")]);
        check("SELECT 1; SELECT\n2;", &[(1, "SELECT 1"), (1, "SELECT\n2")]);
        check("\n\nSELECT 1;\n\nSELECT 2\n;", &[(3, "SELECT 1"), (5, "SELECT 2")]);
        check("SELECT ';' AS \"a;b\"; ;;", &[(1, "SELECT ';' AS \"a;b\"")]);
        check("SELECT 'é;ß'; SELECT 'it''s;'", &[(1, "SELECT 'é;ß'"), (1, "SELECT 'it''s;'")]);
        check("-- a; b\nSELECT /* ; */ 1;", &[(2, "SELECT /* ; */ 1")]);
        check("SELECT 1; -- done", &[(1, "SELECT 1")]);
        check("SELECT $$;$$;", &[(1, "SELECT $$;$$")]);
        check("", &[]);
    }

    #[test]
    fn commands_are_lines_between_statements() {
        check(
            ".mode csv\nSELECT 1;\n\\d polls",
            &[(1, ".mode csv"), (2, "SELECT 1"), (3, "\\d polls")],
        );
        check("SELECT 1\n.5;", &[(1, "SELECT 1\n.5")]);
        check("exit\nSELECT 1;\nQUIT;", &[(1, "exit"), (2, "SELECT 1"), (3, "QUIT;")]);
        check("SELECT\nhelp\nFROM t;", &[(1, "SELECT\nhelp\nFROM t")]);
        check("-- columns\n/* of it */\n\\d polls\nSELECT 1", &[(3, "\\d polls"), (4, "SELECT 1")]);
        check("SELECT 1; -- said\n.help", &[(1, "SELECT 1"), (2, ".help")]);
    }

    #[test]
    fn unfinished_statements_wait_for_more() {
        for (text, expected) in [
            ("", true),
            (".tables", true),
            ("  \\d", true),
            ("SELECT 1;", true),
            ("SELECT 1; -- so", true),
            ("SELECT 1", false),
            ("SELECT ';", false),
            ("SELECT 1; SELECT", false),
            ("/* ;", false),
            ("exit", true),
            ("help;", true),
            ("?", true),
            ("SELECT 1\nexit", true),
            ("SELECT 1\nhelp;", true),
            ("SELECT 1\n\\q\n", true),
            ("SELECT 'a\nexit", false),
            ("/* a\nexit", false),
            ("SELECT 1\n.tables", false),
            ("SELECT\nexit_code", false),
        ] {
            assert_eq!(is_complete(text), expected, "{text}");
        }
        check("SELECT 'a;\nb", &[(1, "SELECT 'a;\nb")]);
    }
}
