//! What the engine says in words alone, and the sentence for a person.

use super::types::in_sql;
use crate::error::{Fault, Wrong};

/// What stands in place of `{}`s, in the order of the pattern.
struct Phrase(&'static str, Fault, &'static str);

const SUBQUERY: &str = "a subquery cannot stand here, or cannot refer so to the query around it; \
    say it as a join, or in WHERE";
const TUPLE: &str = "ROLLUP and CUBE take no columns in parentheses; expected GROUPING SETS";
const SERIES: &str = "a series takes constants: integers, or instants and an interval; expected a \
    longer series, and a condition on its values";
const MALFORMED: &str = "the regular expression is malformed";

/// Looked through in order: the first that fits is taken. `{0}` is what stood at the first `{}`.
const PHRASES: &[Phrase] = &[
    // Functions and operators.
    Phrase(
        "Function '{}' expects {} arguments but received {}",
        Fault::UnknownFunction,
        "{0} takes {1} arguments, not {2}",
    ),
    Phrase(
        "The function '{}' expected zero argument but received {}",
        Fault::UnknownFunction,
        "{0} takes no arguments",
    ),
    Phrase(
        "The function '{}' expected {} arguments but received {}",
        Fault::UnknownFunction,
        "{0} takes {1} arguments, not {2}",
    ),
    Phrase(
        "The function '{}' expected at least one argument{}",
        Fault::UnknownFunction,
        "{0} takes at least one argument",
    ),
    Phrase(
        "Function '{}' expected at least one argument{}",
        Fault::UnknownFunction,
        "{0} takes at least one argument",
    ),
    Phrase(
        "'{}' does not support zero arguments{}",
        Fault::UnknownFunction,
        "{0} takes at least one argument",
    ),
    Phrase(
        "{} does not support zero arguments",
        Fault::UnknownFunction,
        "{0} takes at least one argument",
    ),
    Phrase(
        "Function '{}' requires {}, but received {} (DataType: {}){}",
        Fault::UnknownFunction,
        "there is no {0} of {3}; expected {1}",
    ),
    Phrase(
        "Function '{}' expects {} but received {}",
        Fault::UnknownFunction,
        "there is no {0} of {2}; expected {1}",
    ),
    Phrase(
        "Failed to coerce arguments to satisfy a call to '{}' function: coercion from {} to the \
         signature {} failed",
        Fault::UnknownFunction,
        "there is no {0} of {1}; expected other arguments, or a cast",
    ),
    Phrase(
        "Cannot coerce arithmetic expression {} to valid types",
        Fault::UnknownFunction,
        "there is no operation {0}; expected a cast of one side",
    ),
    Phrase(
        "Cannot infer common {} operation {}",
        Fault::UnknownFunction,
        "there is no operation {1}; expected a cast of one side",
    ),
    Phrase(
        "Cannot get result type for temporal operation {}: {}",
        Fault::UnknownFunction,
        "there is no operation {0}; expected a cast of one side",
    ),
    Phrase(
        "There isn't a common type to coerce {} and {} in {} expression",
        Fault::UnknownFunction,
        "there is no {2} of {0} and {1}; expected a cast of one side",
    ),
    Phrase(
        "Unary operator '{}' only supports {}",
        Fault::UnknownFunction,
        "there is no operation {0} of such a value; expected a number or an interval",
    ),
    Phrase(
        "Unsupported SQL unary operator {}",
        Fault::NotSupported,
        "there is no such operator; expected a function, as abs or sqrt",
    ),
    Phrase("Operator {} is not yet supported", Fault::NotSupported, "there is no operator {0}"),
    Phrase("Unsupported CAST from {} to {}", Fault::NotSupported, "there is no cast of {0} to {1}"),
    Phrase("Unsupported SQL type {}", Fault::NotSupported, "there is no type {0}"),
    Phrase("Unsupported type '{}'. {}", Fault::NotSupported, "there is no type '{0}'"),
    // Values.
    Phrase("Cannot cast string '{}' to value of {} type", Fault::Value, "'{0}' is no {1}"),
    Phrase("Cannot cast value '{}' to value of {} type", Fault::Value, "'{0}' is no {1}"),
    Phrase(
        "Can't cast value NaN to type {}",
        Fault::OutOfRange,
        "the value NaN is out of the range of {0}",
    ),
    Phrase("Can't cast value {} to type {}", Fault::OutOfRange, "{0} is out of the range of {1}"),
    Phrase(
        "Error parsing timestamp from '{}' using format '{}': {}",
        Fault::Value,
        "'{0}' is not an instant of the format '{1}'",
    ),
    Phrase(
        "Error parsing timestamp from '{}': {}",
        Fault::Value,
        "'{0}' is not an instant like '2023-01-24 09:00:00'",
    ),
    Phrase(
        "Invalid input syntax for type interval: {}",
        Fault::Value,
        "{0} is not an interval like '1 day 2 hours'",
    ),
    Phrase(
        "Percentile value must be between 0.0 and 1.0 inclusive, {} is invalid",
        Fault::OutOfRange,
        "percentile {0} is not between 0 and 1",
    ),
    Phrase("{}Array overflow on abs({})", Fault::OutOfRange, "{0} out of range: abs({1})"),
    Phrase(
        "{} is too large to store in a {} of precision {}. Max is {}",
        Fault::OutOfRange,
        "{0} is too large for a numeric of precision {2}; expected {3} at most",
    ),
    Phrase(
        "{} is too small to store in a {} of precision {}. Min is {}",
        Fault::OutOfRange,
        "{0} is too small for a numeric of precision {2}; expected {3} at least",
    ),
    Phrase(
        "cannot take square root of a negative number",
        Fault::Power,
        "cannot take square root of a negative number",
    ),
    Phrase(
        "LIMIT must be >= 0, '{}' was provided",
        Fault::Limit,
        "LIMIT is {0}; expected a number from 0 on",
    ),
    Phrase(
        "OFFSET must be >=0, '{}' was provided",
        Fault::Limit,
        "OFFSET is {0}; expected a number from 0 on",
    ),
    Phrase(
        "Expected {} to be an integer or null, but got {}",
        Fault::Value,
        "{0} is of type {1}; expected an integer",
    ),
    Phrase(
        "Unsupported Value '{}'",
        Fault::NotSupported,
        "a constant of this kind is not supported; expected a number, or a text in quotes",
    ),
    Phrase("Arguments must be literals", Fault::NotSupported, SERIES),
    Phrase("Argument #{} must be an INTEGER {}", Fault::NotSupported, SERIES),
    Phrase("{} argument must be a timestamp or NULL, got {}", Fault::NotSupported, SERIES),
    Phrase("{} argument must be an interval or NULL, got {}", Fault::NotSupported, SERIES),
    Phrase("{}: failed to convert size to usize", Fault::OutOfRange, "{0} takes a size from 0 on"),
    Phrase("Regular expression did not compile: {}", Fault::Value, MALFORMED),
    // Columns and groups.
    Phrase(
        "{} require unique expression names {}",
        Fault::DuplicateColumn,
        "two columns would have one name; expected AS and another name for one",
    ),
    Phrase(
        "Column in SELECT must be in GROUP BY or an aggregate function: {}column \"{}\" must {}",
        Fault::Grouping,
        "{1} is neither in GROUP BY nor within an aggregate function, as max({1})",
    ),
    Phrase(
        "HAVING clause references: {} must appear in the GROUP BY clause {}",
        Fault::Grouping,
        "{0} in HAVING is neither in GROUP BY nor within an aggregate function",
    ),
    Phrase(
        "Aggregate function calls cannot be nested: {}",
        Fault::Grouping,
        "an aggregate function cannot be within another; expected a subquery for the inner one",
    ),
    Phrase(
        "Aggregate function calls cannot contain window function calls{}",
        Fault::Grouping,
        "a window function cannot be within an aggregate one; expected a subquery for the inner one",
    ),
    Phrase(
        "Aggregate functions are not allowed in the WHERE clause{}",
        Fault::Grouping,
        "aggregate functions are not allowed in WHERE; expected HAVING",
    ),
    Phrase(
        "Order by column out of bounds, specified: {}, max: {}",
        Fault::Position,
        "ORDER BY position {0} is not in the select list; expected 1 to {1}",
    ),
    Phrase(
        "Order by index starts at 1 {}",
        Fault::Position,
        "ORDER BY position 0 is not in the select list; expected a number from 1 on",
    ),
    Phrase(
        "Cannot find column with position {} in SELECT clause. Valid columns: 1 to {}",
        Fault::Position,
        "GROUP BY position {0} is not in the select list; expected 1 to {1}",
    ),
    Phrase("Tuple expressions are not supported for Rollup {}", Fault::NotSupported, TUPLE),
    Phrase("Tuple expressions not are supported for Cube {}", Fault::NotSupported, TUPLE),
    Phrase(
        "Cannot create filter with non-boolean predicate {} returning {}",
        Fault::Value,
        "a condition is of type {1}; expected one that is true or false",
    ),
    Phrase("Invalid qualifier {}", Fault::UnknownTable, "there is no table {0} in FROM"),
    Phrase(
        "Source table contains {} columns but only {} names given as column alias",
        Fault::Other,
        "{1} names are given for {0} columns",
    ),
    Phrase(
        "{} queries have different number of columns{}",
        Fault::Other,
        "the sides of {0} have different numbers of columns",
    ),
    Phrase(
        "Inconsistent data length across values list: got {} values in row {} but expected {}",
        Fault::Other,
        "a row of VALUES has {0} values; expected {2}, as the first",
    ),
    Phrase("compound identifier: {}", Fault::NotSupported, "a name has more than four parts"),
    Phrase(
        "variable {} has no type information",
        Fault::Parameter,
        "there are no variables; expected a parameter like $1",
    ),
    // Windows.
    Phrase(
        "The window {} is not defined!",
        Fault::UnknownWindow,
        "there is no window {0}; expected WINDOW {0} AS (…)",
    ),
    Phrase("The window {} is defined multiple times!", Fault::Window, "window {0} comes twice"),
    Phrase(
        "Cannot run range queries on datatype: {}",
        Fault::NotSupported,
        "a window cannot be ordered by a value of type {0}; expected a number or an instant, as \
         extract(epoch FROM …)",
    ),
    // Subqueries.
    Phrase(
        "Too many columns! The subquery should only return one column: {}",
        Fault::Other,
        "a subquery gives several columns: {0}; expected one",
    ),
    Phrase(
        "Scalar subquery returned more than one row{}",
        Fault::SeveralRows,
        "a subquery gives several rows where a value is expected; expected LIMIT 1, or a function \
         like max",
    ),
    Phrase(
        "Correlated scalar subquery must be aggregated {}",
        Fault::NotSupported,
        "a subquery that refers to the query around it may give several rows; expected a function \
         like max",
    ),
    Phrase("Correlated scalar subquery in the GROUP BY clause {}", Fault::NotSupported, SUBQUERY),
    Phrase("Correlated scalar subquery can only be used in {}", Fault::NotSupported, SUBQUERY),
    Phrase("In/Exist/SetComparison subquery can only be used in {}", Fault::NotSupported, SUBQUERY),
    Phrase("null_aware anti join only supports {}", Fault::NotSupported, SUBQUERY),
    Phrase("ScalarSubqueryExpr evaluated before {}", Fault::NotSupported, SUBQUERY),
    Phrase("Physical plan does not support logical expression {}", Fault::NotSupported, SUBQUERY),
];

/// The sentence for what the engine says, where it is known.
pub fn known(words: &str) -> Option<Wrong> {
    if let Some(wrong) = of_signatures(words).or_else(|| of_expression(words)) {
        return Some(wrong);
    }
    PHRASES.iter().find_map(|Phrase(pattern, fault, sentence)| {
        let found = captured(pattern, words)?;
        Some(Wrong::new(*fault, filled(sentence, &found)))
    })
}

/// A function with several signatures tells of each why it does not fit.
fn of_signatures(words: &str) -> Option<Wrong> {
    let found = captured("Function '{}' failed to match any signature, errors: {}", words)?;
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
        return Some(Wrong::new(Fault::UnknownFunction, sentence));
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
        false => format!("{function} takes {} arguments, not {given}", counts.join(" or ")),
    };
    Some(Wrong::new(Fault::UnknownFunction, sentence))
}

/// Parsers of regular expressions draw what is wrong, and say it last.
fn of_expression(words: &str) -> Option<Wrong> {
    if !words.contains("regex parse error:") {
        return None;
    }
    // On lines of their own, which an error within an error escapes.
    let (_, reason) = words.rsplit_once("error: ")?;
    let end = reason.find(['\n', '\\', '~', '"']).unwrap_or(reason.len());
    let sentence = format!("{MALFORMED}: {}", reason[..end].trim());
    Some(Wrong::new(Fault::Value, sentence))
}

/// What stands at each `{}` of a pattern; the last one takes as much as there is.
pub fn captured<'a>(pattern: &str, words: &'a str) -> Option<Vec<&'a str>> {
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

/// The sentence with what was captured in place of its numbers.
fn filled(sentence: &str, found: &[&str]) -> String {
    let mut said = String::new();
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('{') {
        said.push_str(before);
        let Some((number, after)) = after.split_once('}') else { break };
        let place = number.parse().ok().and_then(|number: usize| found.get(number));
        // In quotes is what a person wrote.
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
        assert_eq!(known(words).map(|wrong| wrong.sentence).as_deref(), Some(expected), "{words}");
    }

    #[test]
    fn known_words_are_sentences() {
        for (words, expected) in [
            ("Cannot cast string 'Int64 {1}' to value of Int64 type", "'Int64 {1}' is no bigint"),
            (
                "Cannot coerce arithmetic expression Utf8 + Int64 to valid types",
                "there is no operation text + bigint; expected a cast of one side",
            ),
            (
                "Cannot infer common argument type for comparison operation Int64 > Utf8",
                "there is no operation bigint > text; expected a cast of one side",
            ),
            (
                "Function 'upper' expects 1 arguments but received 2",
                "upper takes 1 arguments, not 2",
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
        assert!(known("something else").is_none());
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
