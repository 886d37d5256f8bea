//! Tests of run detection and of removing empty groups from lists.

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
