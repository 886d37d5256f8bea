//! Runs of equal stores in a batch, and columns of groups without those that have no rows.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::filter;
use arrow::datatypes::Int32Type;
use datafusion::error::Result;

/// Row ranges of equal values in sorted `stores`.
pub fn equal_runs(stores: &[i32]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let store = *stores.get(start)?;
        // Galloping search: most runs have a few dozen rows.
        let (mut last, mut step) = (start, 1);
        while stores.get(last + step) == Some(&store) {
            last += step;
            step *= 2;
        }
        let ahead = &stores[last + 1..stores.len().min(last + step)];
        let end = last + 1 + ahead.partition_point(|of| *of == store);
        Some(std::mem::replace(&mut start, end)..end)
    })
}

/// Removes the groups without rows. Their lists are empty, so the values of a list column are
/// reused without copying.
pub fn without_empty_groups(column: &ArrayRef, has_rows: &BooleanArray) -> Result<ArrayRef> {
    let Some(lists) = column.as_list_opt::<i32>() else { return Ok(filter(column, has_rows)?) };
    let (item, offsets, values, nulls) = lists.clone().into_parts();
    let left_out = offsets.lengths().zip(has_rows.values()).filter(|(_, has_rows)| !has_rows);
    if left_out.map(|(length, _)| length).sum::<usize>() > 0 {
        return Ok(filter(column, has_rows)?);
    }
    let ends = filter(&Int32Array::new(offsets.inner().slice(1, lists.len()), None), has_rows)?;
    let ends = ends.as_primitive::<Int32Type>().values();
    let offsets = [&offsets[..1], ends].concat();
    let valid = |nulls: NullBuffer| filter(&BooleanArray::new(nulls.into_inner(), None), has_rows);
    let nulls = nulls.map(valid).transpose()?;
    let nulls = nulls.map(|nulls| NullBuffer::new(nulls.as_boolean().values().clone()));
    Ok(Arc::new(ListArray::try_new(item, OffsetBuffer::new(offsets.into()), values, nulls)?))
}

#[cfg(test)]
mod tests;
