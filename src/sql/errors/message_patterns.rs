//! Patterns of the engine's messages with their translations.

use crate::error::Fault;

/// Pattern with `{}` placeholders, kind, and translation with numbered placeholders.
pub struct Phrase(pub &'static str, pub Fault, pub &'static str);

const SUBQUERY: &str = "a subquery cannot stand here, or cannot refer to the outer query in this \
    way; write it as a join, or in WHERE";
const TUPLE: &str = "ROLLUP and CUBE take no columns in parentheses; use GROUPING SETS";
const SERIES: &str = "a series takes constants: integers, or instants and an interval; use a \
    longer series, and a condition on its values";
pub const MALFORMED: &str = "the regular expression is malformed";

/// Tried in order; the first match is used. `{0}` is the text at the first `{}`.
pub const PHRASES: &[Phrase] = &[
    // Functions and operators.
    Phrase(
        "Function '{}' expects 1 arguments but received {}",
        Fault::UnknownFunction,
        "{0} takes 1 argument, not {1}",
    ),
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
        "The function '{}' expected 1 arguments but received {}",
        Fault::UnknownFunction,
        "{0} takes 1 argument, not {1}",
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
        "there is no {0} of {1}; use other arguments, or a cast",
    ),
    Phrase(
        "Cannot coerce arithmetic expression {} to valid types",
        Fault::UnknownFunction,
        "there is no operation {0}; cast one side",
    ),
    Phrase(
        "Cannot infer common {} operation {}",
        Fault::UnknownFunction,
        "there is no operation {1}; cast one side",
    ),
    Phrase(
        "Cannot get result type for temporal operation {}: {}",
        Fault::UnknownFunction,
        "there is no operation {0}; cast one side",
    ),
    Phrase(
        "There isn't a common type to coerce {} and {} in {} expression",
        Fault::UnknownFunction,
        "there is no {2} of {0} and {1}; cast one side",
    ),
    Phrase(
        "Unary operator '{}' only supports {}",
        Fault::UnknownFunction,
        "there is no operation {0} of such a value; expected a number or an interval",
    ),
    Phrase(
        "Unsupported SQL unary operator {}",
        Fault::NotSupported,
        "there is no such operator; use a function such as abs or sqrt",
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
        "two columns would have one name; rename one with AS",
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
        "an aggregate function cannot be within another; compute the inner one in a subquery",
    ),
    Phrase(
        "Aggregate function calls cannot contain window function calls{}",
        Fault::Grouping,
        "a window function cannot be within an aggregate one; compute the inner one in a subquery",
    ),
    Phrase(
        "Aggregate functions are not allowed in the WHERE clause{}",
        Fault::Grouping,
        "aggregate functions are not allowed in WHERE; use HAVING",
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
        "there are no variables; use a parameter like $1",
    ),
    // Windows.
    Phrase(
        "The window {} is not defined!",
        Fault::UnknownWindow,
        "there is no window {0}; define WINDOW {0} AS (…)",
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
        "a subquery returns several columns: {0}; expected one",
    ),
    Phrase(
        "Scalar subquery returned more than one row{}",
        Fault::SeveralRows,
        "a subquery returns several rows where a value is expected; use LIMIT 1, or a function like \
         max",
    ),
    Phrase(
        "Correlated scalar subquery must be aggregated {}",
        Fault::NotSupported,
        "a correlated subquery may return several rows; use a function like max",
    ),
    Phrase("Correlated scalar subquery in the GROUP BY clause {}", Fault::NotSupported, SUBQUERY),
    Phrase("Correlated scalar subquery can only be used in {}", Fault::NotSupported, SUBQUERY),
    Phrase("In/Exist/SetComparison subquery can only be used in {}", Fault::NotSupported, SUBQUERY),
    Phrase("null_aware anti join only supports {}", Fault::NotSupported, SUBQUERY),
    Phrase("ScalarSubqueryExpr evaluated before {}", Fault::NotSupported, SUBQUERY),
    Phrase("Physical plan does not support logical expression {}", Fault::NotSupported, SUBQUERY),
];
