//! Reads several streams, each sorted by store, batch by batch, the furthest behind first.
//!
//! All rows of a store thus arrive within a few batches.

use arrow::array::{AsArray, RecordBatch};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::Int32Type;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use futures::future::try_join_all;

use crate::error::broken;

/// Rows, and the store number of each row, ascending.
pub type StoreRows = (RecordBatch, ScalarBuffer<i32>);

pub struct SortedInputs(Vec<SortedInput>);

impl SortedInputs {
    /// Opens streams that are each sorted by `column`, an `Int32` column without nulls.
    pub async fn open(streams: Vec<SendableRecordBatchStream>, column: usize) -> Result<Self> {
        let input = |rows| SortedInput { rows, column, next: None, last: i32::MIN };
        let mut inputs: Vec<_> = streams.into_iter().map(input).collect();
        try_join_all(inputs.iter_mut().map(SortedInput::fill)).await?;
        Ok(Self(inputs))
    }

    /// Returns the next batch of the stream that is furthest behind; `None` after the last batch.
    pub async fn next(&mut self) -> Result<Option<StoreRows>> {
        let begun = self.0.iter_mut().filter(|input| input.next.is_some());
        let Some(behind) = begun.min_by_key(|input| input.next_store()) else { return Ok(None) };
        let rows = behind.next.take();
        behind.fill().await?;
        Ok(rows)
    }

    /// Smallest store that may still have rows; `None` if no rows are left.
    pub fn min_open_store(&self) -> Option<i32> {
        self.0.iter().filter_map(SortedInput::next_store).min()
    }
}

struct SortedInput {
    rows: SendableRecordBatchStream,
    column: usize,
    /// Next batch, never empty; `None` once the stream has ended.
    next: Option<StoreRows>,
    /// Store of the last row that was read.
    last: i32,
}

impl SortedInput {
    async fn fill(&mut self) -> Result<()> {
        while self.next.is_none()
            && let Some(batch) = self.rows.next().await.transpose()?
        {
            let stores = batch.column(self.column).as_primitive::<Int32Type>().values().clone();
            let (Some(&first), Some(&last)) = (stores.first(), stores.last()) else { continue };
            if first < self.last || !stores.is_sorted() {
                return Err(broken(format!(
                    "input is not sorted: a store before {} follows it",
                    self.last
                )));
            }
            (self.next, self.last) = (Some((batch, stores)), last);
        }
        Ok(())
    }

    fn next_store(&self) -> Option<i32> {
        self.next.as_ref().and_then(|(_, stores)| stores.first().copied())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array};
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

    use super::*;

    /// Batches drawn as `3 3 5 | 7`: the stores of their rows.
    fn stream(drawn: &str) -> SendableRecordBatchStream {
        let batch = |drawn: &str| {
            let stores = drawn.split_whitespace().map(|store| store.parse().unwrap());
            let stores = Arc::new(Int32Array::from_iter_values(stores)) as ArrayRef;
            RecordBatch::try_from_iter([("store_no", stores)]).unwrap()
        };
        let batches: Vec<_> = drawn.split('|').map(batch).collect();
        let schema = batches[0].schema();
        let batches = futures::stream::iter(batches.into_iter().map(Ok));
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }

    /// Draws the batches in output order, each with the smallest open store afterwards.
    async fn drawn(streams: &[&str]) -> Result<String> {
        let streams = streams.iter().map(|drawn| stream(drawn)).collect();
        let mut inputs = SortedInputs::open(streams, 0).await?;
        let mut drawn = Vec::new();
        while let Some((_, stores)) = inputs.next().await? {
            let stores: Vec<_> = stores.iter().map(ToString::to_string).collect();
            let open = inputs.min_open_store().map_or("end".to_owned(), |store| store.to_string());
            drawn.push(format!("{} <{open}", stores.join(" ")));
        }
        Ok(drawn.join(", "))
    }

    #[tokio::test]
    async fn the_input_that_is_furthest_behind_comes_next() {
        for (streams, expected) in [
            (&["1 2", "1 3"][..], "1 2 <1, 1 3 <end"),
            (&["3", "1 2 | 2 3", "2"], "1 2 <2, 2 3 <2, 2 <3, 3 <end"),
            (&["1 | 1 | 5", "4"], "1 <1, 1 <4, 4 <5, 5 <end"),
            (&["", "1 | | 2"], "1 <2, 2 <end"),
            (&["", ""], ""),
        ] {
            assert_eq!(drawn(streams).await.unwrap(), expected, "{streams:?}");
        }
    }

    #[tokio::test]
    async fn a_stream_out_of_order_is_an_error() {
        for stream in ["2 1", "2 | 1"] {
            assert!(drawn(&[stream, "1"]).await.is_err(), "{stream}");
        }
    }
}
