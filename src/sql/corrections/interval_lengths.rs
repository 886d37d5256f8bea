//! Length of intervals and durations, with days of 24 hours and months of 30 days; keys by length.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Decimal128Array};
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::expr::Sort as SortExpr;
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF};

use super::interval::{function_of_columns, intervals, length_ns};

/// Returns whether the engine compares the type field by field; durations are numbers.
pub fn is_field_by_field(kind: &DataType) -> bool {
    matches!(kind, DataType::Interval(_))
}

/// Returns whether a key of the expression would be compared field by field.
pub fn is_key(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|kind| is_field_by_field(&kind))
}

/// Length of an interval; other expressions are returned unchanged.
pub fn key(expr: Expr, schema: &DFSchema) -> Expr {
    if is_key(&expr, schema) { length(expr) } else { expr }
}

pub fn sorted(keys: Vec<SortExpr>, schema: &DFSchema) -> Vec<SortExpr> {
    let by_length = |by: SortExpr| SortExpr { expr: key(by.expr, schema), ..by };
    keys.into_iter().map(by_length).collect()
}

/// Number that orders intervals and durations by length; equal for equal lengths.
pub fn length(expr: Expr) -> Expr {
    static LENGTH: LazyLock<ScalarUDF> = LazyLock::new(|| {
        let length = DataType::Decimal128(PRECISION, 0);
        function_of_columns("interval_length", 1, length, lengths_ns)
    });
    LENGTH.call(vec![expr])
}

/// Number of digits of the longest interval in nanoseconds.
const PRECISION: u8 = 26;

fn lengths_ns(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let lengths = intervals(&columns[0])?.into_iter();
    let lengths = lengths.map(|interval| interval.map(length_ns));
    let lengths = lengths.collect::<Decimal128Array>();
    Ok(Arc::new(lengths.with_precision_and_scale(PRECISION, 0)?))
}
