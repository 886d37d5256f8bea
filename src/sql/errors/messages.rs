//! Translation of the engine's messages.

use super::message_patterns::{MALFORMED, PHRASES, Phrase};
use super::sql_types::in_sql;
use crate::error::{Fault, QueryError};

/// Translates a message; `None` if it is unknown.
pub fn translate(words: &str) -> Option<QueryError> {
    if let Some(wrong) = signature_error(words).or_else(|| regex_error(words)) {
        return Some(wrong);
    }
    PHRASES.iter().find_map(|Phrase(pattern, fault, sentence)| {
        let found = capture(pattern, words)?;
        Some(QueryError::new(*fault, fill_placeholders(sentence, &found)))
    })
}

/// A function with several signatures reports for each why it does not match.
fn signature_error(words: &str) -> Option<QueryError> {
    let found = capture("Function '{}' failed to match any signature, errors: {}", words)?;
    let (function, errors) = (found[0], found[1]);
    let requires = format!("Function '{function}' requires ");
    let mut given = None;
    let mut expected: Vec<String> = Vec::new();
    for error in errors.split(&requires).skip(1) {
        let Some((wanted, rest)) = error.split_once(", but received ") else { continue };
        let rest = rest.split_once("(DataType: ").map_or(rest, |(_, rest)| rest);
        let ended = rest.split_once(").").map(|(given, _)| given);
        given = given.or(ended).or(rest.strip_suffix(')'));
        let wanted = in_sql(wanted);
        if !expected.contains(&wanted) {
            expected.push(wanted);
        }
    }
    if let Some(given) = given {
        let (given, expected) = (in_sql(given), expected.join(", "));
        let sentence = format!("there is no {function} of {given}; expected {expected}");
        return Some(QueryError::new(Fault::UnknownFunction, sentence));
    }
    let expects = format!("Function '{function}' expects ");
    let mut counts: Vec<_> = errors
        .split(&expects)
        .skip(1)
        .filter_map(|error| Some(error.split_once(" arguments")?.0))
        .collect();
    counts.dedup();
    let given = errors.rsplit("but received ").next()?;
    let given: String = given.chars().take_while(char::is_ascii_digit).collect();
    let sentence = match counts.is_empty() || given.is_empty() {
        true => format!("{function} does not take such arguments"),
        false => {
            let noun = if counts == ["1"] { "argument" } else { "arguments" };
            format!("{function} takes {} {noun}, not {given}", counts.join(" or "))
        }
    };
    Some(QueryError::new(Fault::UnknownFunction, sentence))
}

/// Parsers of regular expressions draw the error and state it last.
fn regex_error(words: &str) -> Option<QueryError> {
    if !words.contains("regex parse error:") {
        return None;
    }
    // The drawing has lines of its own, which a nested error escapes.
    let (_, reason) = words.rsplit_once("error: ")?;
    let end = reason.find(['\n', '\\', '~', '"']).unwrap_or(reason.len());
    let sentence = format!("{MALFORMED}: {}", reason[..end].trim());
    Some(QueryError::new(Fault::Value, sentence))
}

/// Texts at the `{}` placeholders of a pattern, or `None` if the pattern does not match. The last
/// placeholder takes the rest.
pub fn capture<'a>(pattern: &str, words: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = pattern.split("{}");
    let mut rest = words.strip_prefix(parts.next()?)?;
    let mut found = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let (before, after) = match (parts.peek(), part) {
            (None, "") => (rest, ""),
            (None, part) => (rest.strip_suffix(part)?, ""),
            (Some(_), part) => rest.split_once(part)?,
        };
        found.push(before);
        rest = after;
    }
    rest.is_empty().then_some(found)
}

/// Fills the numbered placeholders of a translation.
fn fill_placeholders(sentence: &str, found: &[&str]) -> String {
    let mut said = String::new();
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('{') {
        said.push_str(before);
        let Some((number, after)) = after.split_once('}') else { break };
        let place = number.parse().ok().and_then(|number: usize| found.get(number));
        // Quoted text is the user's own.
        let is_quoted = before.ends_with('\'');
        said.push_str(&place.map_or(String::new(), |found| match is_quoted {
            true => (*found).to_owned(),
            false => in_sql(found),
        }));
        rest = after;
    }
    said + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &str, expected: &str) {
        assert_eq!(
            translate(words).map(|wrong| wrong.sentence).as_deref(),
            Some(expected),
            "{words}"
        );
    }

    #[test]
    fn known_words_are_sentences() {
        for (words, expected) in [
            ("Cannot cast string 'Int64 {1}' to value of Int64 type", "'Int64 {1}' is no bigint"),
            (
                "Cannot coerce arithmetic expression Utf8 + Int64 to valid types",
                "there is no operation text + bigint; cast one side",
            ),
            (
                "Cannot infer common argument type for comparison operation Int64 > Utf8",
                "there is no operation bigint > text; cast one side",
            ),
            (
                "Function 'upper' expects 1 arguments but received 2",
                "upper takes 1 argument, not 2",
            ),
            (
                "Function 'abs' expects Numeric but received String",
                "there is no abs of text; expected a number",
            ),
            (
                "Function 'ascii' requires String, but received Int64 (DataType: Int64)",
                "there is no ascii of bigint; expected text",
            ),
            (
                "Int64Array overflow on abs(-9223372036854775808)",
                "bigint out of range: abs(-9223372036854775808)",
            ),
            (
                "1234.50 is too large to store in a Decimal128 of precision 5. Max is 999.99",
                "1234.50 is too large for a numeric of precision 5; expected 999.99 at most",
            ),
            (
                "Unary operator '-' only supports signed numeric, interval and timestamp types",
                "there is no operation - of such a value; expected a number or an interval",
            ),
            ("LIMIT must be >= 0, '-1' was provided", "LIMIT is -1; expected a number from 0 on"),
            (
                "Order by column out of bounds, specified: 2, max: 1",
                "ORDER BY position 2 is not in the select list; expected 1 to 1",
            ),
            (
                "array_resize: failed to convert size to usize",
                "array_resize takes a size from 0 on",
            ),
        ] {
            check(words, expected);
        }
        assert!(translate("something else").is_none());
    }

    #[test]
    fn signatures_are_told_as_what_was_expected() {
        check(
            "Function 'sum' failed to match any signature, errors: Error during planning: Function \
             'sum' requires Decimal, but received Boolean (DataType: Boolean).,Error during \
             planning: Function 'sum' requires Int64, but received Boolean (DataType: Boolean).",
            "there is no sum of boolean; expected numeric, bigint",
        );
        check(
            "Function 'date_trunc' failed to match any signature, errors: Error during planning: \
             Function 'date_trunc' expects 2 arguments but received 3,Error during planning: \
             Function 'date_trunc' expects 2 arguments but received 3",
            "date_trunc takes 2 arguments, not 3",
        );
    }

    #[test]
    fn a_malformed_expression_is_told_without_its_drawing() {
        let drawn = "regex parse error:\n    (\n    ^\nerror: unclosed group";
        check(drawn, "the regular expression is malformed: unclosed group");
        check(
            &format!("Regular expression did not compile: Syntax({drawn:?}"),
            "the regular expression is malformed: unclosed group",
        );
    }
}
