//! Merge joins of drawn batches: matching rows, and lists that are not copied.

use arrow::array::{Array, Int32Array};
use arrow::datatypes::{Field, Schema};
use futures::stream;

use super::*;

/// Batches drawn as `3 5 | 7`: stores, each with its tenfold and a list of as many values.
fn side(drawn: &str) -> Side {
    let item = Arc::new(Field::new_list_field(DataType::Int32, true));
    let lists = DataType::List(Arc::clone(&item));
    let fields = [("store_no", DataType::Int32), ("tens", DataType::Int32), ("list", lists)];
    let fields = fields.map(|(name, of)| Field::new(name, of, true));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let batch = |drawn: &str| {
        let stores = drawn.split_whitespace().map(|store| store.parse().unwrap());
        let stores = Int32Array::from_iter_values(stores);
        let tens = stores.values().iter().map(|store| store * 10);
        let lists = stores.values().iter().map(|&store| Some(vec![Some(store); store as usize]));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from_iter_values(tens)),
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)),
        ];
        let columns = [vec![Arc::new(stores) as ArrayRef], columns].concat();
        Ok(RecordBatch::try_new(Arc::clone(&schema), columns).unwrap())
    };
    let batches: Vec<_> = drawn.split('|').map(batch).collect();
    Side::new(Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(batches))), 0)
}

/// Draws the output batch by batch: the store, its match, and the length of the match's list; `-`
/// for no match.
async fn joined(stores: &str, others: &str) -> Result<String> {
    let (stores, others) = (side(stores), side(others));
    let columns = vec![Source::Store(0), Source::Other(1), Source::Other(2)];
    let fields = stores.rows.schema().fields().clone();
    let schema = Arc::new(Schema::new(fields));
    let (mut join, mut batches) = (MergeJoinStream { schema, columns, stores, others }, Vec::new());
    while let Some(batch) = join.next_batch().await? {
        batches.push(batch);
    }
    let text = |value: Option<i32>| value.map_or("-".to_owned(), |value| value.to_string());
    let row = |batch: &RecordBatch, row: usize| {
        let [store, tens] = [0, 1].map(|at| batch.column(at).as_primitive::<Int32Type>());
        let lists = batch.column(2).as_list::<i32>();
        let tens = tens.is_valid(row).then(|| tens.value(row));
        let length = lists.is_valid(row).then(|| lists.value_length(row));
        format!("{}:{}:{}", store.value(row), text(tens), text(length))
    };
    let rows = |batch: &RecordBatch| (0..batch.num_rows()).map(|at| row(batch, at)).collect();
    let batches: Vec<Vec<String>> = batches.iter().map(rows).collect();
    Ok(batches.iter().map(|rows| rows.join(" ")).collect::<Vec<_>>().join(" | "))
}

#[tokio::test]
async fn each_store_is_joined_with_its_row() {
    for (stores, others, expected) in [
        ("1 2 3", "1 2 3", "1:10:1 2:20:2 3:30:3"),
        ("1 2 3", "2", "1:-:- 2:20:2 | 3:-:-"),
        ("1 2 3", "1 3", "1:10:1 2:-:- 3:30:3"),
        ("1 2 3", "1 | 2 | 3", "1:10:1 | 2:20:2 | 3:30:3"),
        ("1 | 2 | 3", "1 2 3", "1:10:1 | 2:20:2 | 3:30:3"),
        ("1 4 | 6", "2 | 4 5 | 6 7", "1:-:- | 4:40:4 | 6:60:6"),
        // A number without a store lies between two stores.
        ("1 3 5", "1 2 3 4", "1:10:1 3:30:3 | 5:-:-"),
        ("3 4", "0 1 2 3", "3:30:3 | 4:-:-"),
        ("1 | | 2", "| 1 2", "1:10:1 | 2:20:2"),
        ("1 2", "", "1:-:- 2:-:-"),
        ("1 2", "7", "1:-:- 2:-:-"),
        ("", "1 2", ""),
    ] {
        assert_eq!(joined(stores, others).await.unwrap(), expected, "{stores} with {others}");
    }
}

#[tokio::test]
async fn two_rows_of_a_store_are_an_error() {
    for (stores, others) in [("1 1", "1"), ("1", "1 1"), ("2 | 2", "2"), ("1 2", "2 1")] {
        assert!(joined(stores, others).await.is_err(), "{stores} with {others}");
    }
}

#[test]
fn lists_stay_where_they_are() {
    let lists = [Some(vec![Some(1), Some(2)]), None, Some(vec![Some(3)])];
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(lists);
    let places = UInt32Array::from(vec![None, Some(0), None, Some(1), Some(2), None]);
    let taken = take_matching_lists(&lists, &places).unwrap().unwrap();
    assert_eq!(take(&lists, &places, None).unwrap().as_list::<i32>(), &taken);
    assert_eq!(lists.values().to_data().buffers(), taken.values().to_data().buffers());
    assert!(take_matching_lists(&lists, &UInt32Array::from(vec![0, 2])).is_none());
}
