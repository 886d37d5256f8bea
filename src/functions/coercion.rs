//! Checks and coercion of the arguments of a call.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::plan_err;
use datafusion::error::Result;

use super::argument_types::{Argument, Takes};
use super::documented::Documented;
use super::encoding::heartbeats::as_timelines;
use crate::error::counted;

/// True if a call passes the state before the timeline, as older releases of TimescaleDB Toolkit
/// do.
fn has_state_first(function: &Documented, given: &[DataType]) -> bool {
    let is_held = |given: &DataType| given.is_nested();
    matches!(
        (function.arguments, given),
        ([Argument { takes: Takes::Timeline, .. }, Argument { takes: Takes::Text, .. }, ..],
         [first, second, ..]) if !is_held(first) && is_held(second)
    )
}

/// Orders the columns of a call like the declared arguments, and converts heartbeats to timelines
/// where a timeline is declared.
///
/// # Errors
/// None if the columns were [coerced].
pub fn ordered_columns(function: &Documented, mut columns: Vec<ArrayRef>) -> Result<Vec<ArrayRef>> {
    let given: Vec<_> = columns.iter().map(|column| column.data_type().clone()).collect();
    if has_state_first(function, &given) {
        columns.swap(0, 1);
    }
    for (column, argument) in columns.iter_mut().zip(function.arguments) {
        if argument.takes == Takes::Timeline && column.data_type().is_nested() {
            *column = as_timelines(column)?;
        }
    }
    Ok(columns)
}

/// Types to which the arguments of a call are coerced.
///
/// # Errors
/// If the number of arguments or the type of one of them is wrong.
pub fn coerced(function: &Documented, given: &[DataType]) -> Result<Vec<DataType>> {
    if has_state_first(function, given) {
        let mut turned = given.to_vec();
        turned.swap(0, 1);
        let mut types = coerced(function, &turned)?;
        types.swap(0, 1);
        return Ok(types);
    }
    let taken = function.arguments;
    let least = taken.iter().filter(|argument| !argument.is_optional).count();
    if !(least..=taken.len()).contains(&given.len()) {
        let taken = match least == taken.len() {
            true => counted(taken.len(), "argument", "arguments"),
            false => format!("{least} to {} arguments", taken.len()),
        };
        return plan_err!("{} takes {taken}, not {}", function.signature(), given.len());
    }
    let pairs = taken.iter().zip(given);
    pairs
        .map(|(Argument { name, takes, .. }, given)| match takes.coerced(given) {
            Some(coerced) => Ok(coerced),
            None => plan_err!(
                "{}: {name} must be {}, not of type {given}",
                function.signature(),
                takes.expected()
            ),
        })
        .collect()
}
