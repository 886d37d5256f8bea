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
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_store_are_a_run() {
        let lengths = [1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 1];
        let of_store = |(store, length): (usize, &usize)| vec![store as i32 * 3; *length];
        let stores: Vec<_> = lengths.iter().enumerate().flat_map(of_store).collect();
        let mut start = 0;
        for (found, length) in equal_runs(&stores).zip(lengths) {
            assert_eq!(found, start..start + length);
            start += length;
        }
        assert_eq!((equal_runs(&stores).count(), equal_runs(&[]).count()), (lengths.len(), 0));
    }

    #[test]
    fn groups_without_rows_are_left_out_of_lists() {
        let lists = |rows: &[Option<&[i32]>]| -> ArrayRef {
            let rows = rows.iter().map(|row| row.map(|row| row.iter().copied().map(Some)));
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(rows))
        };
        let all = lists(&[None, Some(&[1, 2]), None, Some(&[]), None, Some(&[3]), Some(&[])]);
        let has_rows = BooleanArray::from(vec![false, true, false, true, true, true, false]);
        let kept = without_empty_groups(&all, &has_rows).unwrap();
        assert_eq!(&kept, &lists(&[Some(&[1, 2]), Some(&[]), None, Some(&[3])]));
        assert_eq!(kept.as_list::<i32>().values(), all.as_list::<i32>().values());
        let of_part = without_empty_groups(&all.slice(2, 4), &has_rows.slice(2, 4)).unwrap();
        assert_eq!(&of_part, &lists(&[Some(&[]), None, Some(&[3])]));
        // A list outside the kept groups that is not empty.
        let has_rows = BooleanArray::from(vec![false, false, true, true, true, true, true]);
        let kept = without_empty_groups(&all, &has_rows).unwrap();
        assert_eq!(&kept, &lists(&[None, Some(&[]), None, Some(&[3]), Some(&[])]));
    }
}
