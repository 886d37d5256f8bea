//! Limits on the output of DataFusion functions that can expand a small input.
//!
//! Memory pools do not count what a function allocates: `repeat('x', 2000000000)` or `range(1,
//! 1000000000)` would exhaust memory, both while planning and while executing. The size of a call's
//! output is estimated from its arguments before the call, too high rather than too low.
//!
//! A workaround for apache/datafusion#5415. Remove this when functions reserve their output in the
//! memory pool.

use std::fmt::{self, Debug};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::compute::kernels::length::length;
use arrow::datatypes::{DataType, FieldRef, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{ExprSchema, resources_err};
use datafusion::error::Result;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};
use datafusion::prelude::SessionContext;
use delegate::delegate;

use super::cancellation::CancellationFlag;
use crate::rules::calendar::DAY_US;

/// Largest output of one call, over all rows of a batch.
pub const BYTES_MAX: i128 = 64 << 20;

/// Estimates the bytes that a row produces from its arguments.
type Estimate = fn(&[Amount], usize) -> i128;

/// Approximate bytes of a value without a length.
const VALUE_BYTES: i128 = 16;
/// Largest number of bytes of a character.
const CHARACTER_BYTES: i128 = 4;
/// Largest growth of a date pattern: two characters, as `%A`, can produce a long part of a date.
const PATTERN_FACTOR: i128 = 32;

const MULTIPLIERS: &[(&str, Estimate)] = &[
    ("repeat", |of, row| of[0].size(row) * of[1].count(row)),
    ("lpad", |of, row| of[1].count(row) * CHARACTER_BYTES),
    ("rpad", |of, row| of[1].count(row) * CHARACTER_BYTES),
    ("replace", |of, row| replaced(of[0].size(row), of[1].size(row), of[2].size(row))),
    ("regexp_replace", |of, row| of[0].size(row) + of[0].size(row).min(64) * of[2].size(row)),
    ("concat", |of, row| of.iter().map(|part| part.size(row)).sum()),
    ("concat_ws", |of, row| {
        let parts: i128 = of[1..].iter().map(|part| part.size(row)).sum();
        parts + of[0].size(row) * (of.len() as i128 - 1)
    }),
    ("to_char", |of, row| of[1].size(row) * PATTERN_FACTOR),
    ("array_to_string", |of, row| {
        of[0].size(row) + of[0].count(row) * (of[1].size(row) + VALUE_BYTES)
    }),
    ("make_array", |of, row| of.iter().map(|part| part.size(row)).sum()),
    ("array_concat", |of, row| of.iter().map(|part| part.size(row)).sum()),
    ("array_repeat", |of, row| of[0].size(row) * of[1].count(row)),
    ("array_resize", |of, row| {
        let filler = of.get(2).map_or(VALUE_BYTES, |filler| filler.size(row));
        of[0].size(row) + of[1].count(row) * filler
    }),
    ("range", ranged),
    ("generate_series", ranged),
];

/// Size of a text after replacing every occurrence, if the whole text consists of occurrences.
fn replaced(text: i128, from: i128, to: i128) -> i128 {
    text + (text / from.max(1) + 1) * to
}

/// Size of a sequence from the first argument, or 0, to the second, by the third, or 1.
fn ranged(of: &[Amount], row: usize) -> i128 {
    let (from, to, step) = match of {
        [to] => (0, to.number(row), 1),
        [from, to] => (from.number(row), to.number(row), 1),
        [from, to, step, ..] => (from.number(row), to.number(row), step.number(row)),
        [] => (0, 0, 1),
    };
    ((to - from).abs() / step.abs().max(1) + 1) * VALUE_BYTES
}

/// Wraps the expanding functions that the session has registered.
pub fn limit_outputs(session: &SessionContext) {
    let known = session.state();
    for (name, estimate) in MULTIPLIERS {
        if let Some(inner) = known.scalar_functions().get(*name) {
            let bounded = SizeLimited { inner: Arc::clone(inner), estimate: *estimate };
            session.register_udf(ScalarUDF::from(bounded));
        }
    }
}

/// Measure of an argument, as far as the size of the output depends on it.
struct Amount {
    /// Numbers, microseconds or lengths; one per row, or one for all rows.
    values: Int64Array,
    is_number: bool,
    /// Bytes per unit of length.
    bytes: i128,
}

impl Amount {
    fn from_argument(argument: &ColumnarValue) -> Result<Self> {
        let array = match argument {
            ColumnarValue::Array(array) => Arc::clone(array),
            ColumnarValue::Scalar(value) => value.to_array_of_size(1)?,
        };
        let (values, is_number, bytes) = match array.data_type() {
            DataType::Interval(IntervalUnit::MonthDayNano) => (lengths_us(&array), true, 1),
            number if number.is_numeric() || number == &DataType::Null => (whole(&array)?, true, 1),
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
                let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
                (whole(&cast(&array, &micros)?)?, true, 1)
            }
            _ => match length(&array) {
                Ok(lengths) => (whole(&lengths)?, false, bytes_of_item(&array)),
                // Types without a length, such as booleans and structs.
                Err(_) => (Int64Array::from_value(1, array.len()), false, VALUE_BYTES),
            },
        };
        Ok(Self { values, is_number, bytes })
    }

    /// Value of a row; 0 for null.
    fn number(&self, row: usize) -> i128 {
        let row = if self.values.len() == 1 { 0 } else { row };
        if self.values.is_null(row) { 0 } else { self.values.value(row).into() }
    }

    fn count(&self, row: usize) -> i128 {
        self.number(row).max(0)
    }

    fn size(&self, row: usize) -> i128 {
        if self.is_number { VALUE_BYTES } else { self.count(row) * self.bytes }
    }
}

/// Casts numbers to `Int64`. Values that do not fit become null and count as 0.
fn whole(numbers: &ArrayRef) -> Result<Int64Array> {
    let whole = cast(numbers, &DataType::Int64)?;
    Ok(whole.as_primitive().clone())
}

/// Intervals in microseconds, with the shortest possible months.
fn lengths_us(intervals: &ArrayRef) -> Int64Array {
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
    intervals.unary(|interval| {
        let days = i64::from(interval.days) + 28 * i64::from(interval.months);
        days.saturating_mul(DAY_US).saturating_add(interval.nanoseconds / 1000)
    })
}

/// Average bytes per item of a list; one byte per item of a text.
fn bytes_of_item(array: &ArrayRef) -> i128 {
    match array.as_list_opt::<i32>() {
        Some(lists) => {
            let items = lists.values();
            let average = items.get_array_memory_size() / items.len().max(1);
            (average as i128).max(VALUE_BYTES)
        }
        None => 1,
    }
}

/// DataFusion function with a limit on its output.
struct SizeLimited {
    inner: Arc<ScalarUDF>,
    estimate: Estimate,
}

impl SizeLimited {
    /// Checks the estimated size of the output.
    ///
    /// # Errors
    /// If the call would produce more than [`BYTES_MAX`], or the query was cancelled.
    fn check_size(&self, args: &ScalarFunctionArgs) -> Result<()> {
        CancellationFlag::current().check()?;
        let amounts = args.args.iter().map(Amount::from_argument).collect::<Result<Vec<_>>>()?;
        let of_array = |argument: &ColumnarValue| match argument {
            ColumnarValue::Array(array) => Some(array.len()),
            ColumnarValue::Scalar(_) => None,
        };
        // A call with constants only has one row, whatever the number of rows in the batch.
        let rows = args.args.iter().filter_map(of_array).max().unwrap_or(1);
        let mut bytes = 0;
        for row in 0..rows {
            bytes += (self.estimate)(&amounts, row);
            if bytes > BYTES_MAX {
                return resources_err!(
                    "{} would make more than {} MiB at once; expected shorter values",
                    self.name(),
                    BYTES_MAX >> 20
                );
            }
        }
        Ok(())
    }
}

impl Debug for SizeLimited {
    fn fmt(&self, text: &mut fmt::Formatter) -> fmt::Result {
        text.debug_tuple("SizeLimited").field(&self.inner).finish()
    }
}

impl PartialEq for SizeLimited {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for SizeLimited {}

impl Hash for SizeLimited {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl ScalarUDFImpl for SizeLimited {
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.check_size(&args)?;
        self.inner.inner().invoke_with_args(args)
    }

    fn is_nullable(&self, args: &[Expr], schema: &dyn ExprSchema) -> bool {
        #[expect(deprecated, reason = "what it says of itself is to be said of it")]
        self.inner.inner().is_nullable(args, schema)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = Arc::new(self.inner.inner().with_updated_config(config)?);
        Some(ScalarUDF::from(Self { inner, estimate: self.estimate }))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        // `concat` folds constants while planning, without a call that is checked.
        if self.name().starts_with("concat") {
            return Ok(ExprSimplifyResult::Original(args));
        }
        self.inner.inner().simplify(args, info)
    }

    delegate! {
        to self.inner.inner() {
            fn name(&self) -> &str;
            fn aliases(&self) -> &[String];
            fn schema_name(&self, args: &[Expr]) -> Result<String>;
            fn signature(&self) -> &Signature;
            fn return_type(&self, given: &[DataType]) -> Result<DataType>;
            fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef>;
            fn is_strict(&self) -> bool;
            fn short_circuits(&self) -> bool;
            fn conditional_arguments<'a>(
                &self,
                args: &'a [Expr],
            ) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)>;
            fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval>;
            fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties>;
            fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool>;
            fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>>;
            fn documentation(&self) -> Option<&Documentation>;
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::error::DataFusionError;

    use super::*;

    async fn made(sql: &str) -> Result<usize> {
        let session = SessionContext::new();
        limit_outputs(&session);
        let batches = session.sql(sql).await?.collect().await?;
        Ok(batches.iter().map(|batch| batch.num_rows()).sum())
    }

    #[tokio::test]
    async fn a_call_with_too_large_an_output_fails_before_it_runs() {
        for sql in [
            "SELECT repeat('x', 2000000000)",
            "SELECT count(*) FROM range(0, 8000) WHERE length(repeat('x', value + 50000)) > 1",
            "SELECT lpad('x', 2000000000), 1",
            "SELECT rpad('x', 2000000000, 'y')",
            "SELECT cardinality(range(1, 1000000000))",
            "SELECT cardinality(generate_series(1, 1000000000, 2))",
            "SELECT cardinality(generate_series(TIMESTAMP '2000-01-01', TIMESTAMP '2020-01-01', \
             INTERVAL '1 second'))",
            "SELECT cardinality(array_repeat(1, 1000000000))",
            "SELECT cardinality(array_repeat([1, 2, 3], 100000000))",
            "SELECT cardinality(list_repeat('x', 1000000000))",
            "SELECT cardinality(array_resize([1], 1000000000))",
            "SELECT length(replace(repeat('x', 1000000), 'x', repeat('y', 1000000)))",
            "SELECT length(array_to_string(range(1, 1000000), repeat('x', 1000000)))",
            "SELECT length(concat_ws(repeat('x', 30000000), 'a', 'b', 'c', 'd'))",
            "SELECT length(concat(repeat('x', 60000000), repeat('x', 60000000)))",
        ] {
            let error = made(sql).await.expect_err(sql);
            let is_told = matches!(error.find_root(), DataFusionError::ResourcesExhausted(_));
            assert!(is_told, "{sql}: {error}");
        }
    }

    #[tokio::test]
    async fn smaller_calls_return_the_engines_result() {
        for (sql, rows) in [
            ("SELECT repeat('x', 1000), repeat('x', NULL), repeat('x', -1)", 1),
            ("SELECT repeat('x', value) FROM range(0, 100)", 100),
            (
                "SELECT lpad('x', 5), rpad('x', 5, 'ab'), replace('xx', 'x', 'yy'), replace('xx', \
                 '', 'y')",
                1,
            ),
            ("SELECT range(5), range(1, 5), range(5, 1, -1), generate_series(1, 1000000)", 1),
            (
                "SELECT unnest(generate_series(DATE '2023-01-01', DATE '2023-01-10', INTERVAL '1 \
                 day'))",
                10,
            ),
            ("SELECT array_repeat([1, 2], 3), array_resize([1], 3, 2), list_resize([1], 0)", 1),
            (
                "SELECT array_to_string([1, 2], ','), concat('a', 1, NULL), concat_ws('-', 'a', \
                 'b'), make_array()",
                1,
            ),
            (
                "SELECT regexp_replace('abc', 'b', 'x', 'g'), to_char(TIMESTAMP '2023-01-01', \
                 '%Y')",
                1,
            ),
        ] {
            assert_eq!(
                made(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}")),
                rows,
                "{sql}"
            );
        }
    }
}
