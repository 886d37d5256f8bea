//! Merges streams that are sorted by store into one, by runs of rows with the same store.
//!
//! ```text
//! 3a 3b 5c ┐
//! 3d 7e    ┴──▶  3a 3b 3d 5c 7e
//! ```
//!
//! `SortPreservingMergeExec` compares and copies row by row. Remove this when that is as fast.

use std::ops::Range;

use arrow::array::MutableArrayData;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, make_array};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{Int32Type, SchemaRef};
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use futures::future::try_join_all;
use futures::stream::try_unfold;

use crate::error::broken;

/// Approximate number of rows per batch; the rows of the last store may exceed it.
const BATCH_ROWS: usize = 8_192;

/// Merges streams that are each sorted by `column`, an `Int32` column without nulls.
///
/// Rows of one store keep the order of the streams, so the merge is stable. Fails if a stream is
/// not sorted. Buffers one batch per stream, and the batches that the current output refers to.
pub fn merge_streams(
    schema: SchemaRef,
    column: usize,
    mut streams: Vec<SendableRecordBatchStream>,
) -> SendableRecordBatchStream {
    if streams.len() == 1 {
        return streams.swap_remove(0);
    }
    let cursors = streams.into_iter().map(|rows| Cursor::new(rows, column)).collect();
    let merge = Merge { schema: SchemaRef::clone(&schema), cursors, last: i32::MIN };
    let batches = try_unfold(merge, |mut merge| async move {
        Ok(merge.next_batch().await?.map(|batch| (batch, merge)))
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

struct Merge {
    schema: SchemaRef,
    cursors: Vec<Cursor>,
    last: i32,
}

impl Merge {
    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        try_join_all(self.cursors.iter_mut().map(Cursor::fill)).await?;
        let mut runs = RunCopies::default();
        while runs.rows < BATCH_ROWS {
            let Some(store) = self.cursors.iter().filter_map(Cursor::store).min() else { break };
            if store < self.last {
                return Err(broken(format!(
                    "input is not sorted: store {store} follows store {}",
                    self.last
                )));
            }
            self.last = store;
            for (place, cursor) in self.cursors.iter_mut().enumerate() {
                while cursor.store() == Some(store) {
                    runs.push(place, cursor);
                    cursor.fill().await?;
                }
            }
        }
        runs.batch(&self.schema)
    }
}

/// Stream and the position reached in its current batch.
struct Cursor {
    rows: SendableRecordBatchStream,
    column: usize,
    /// Current batch and the stores of its rows; `None` once the stream has ended.
    batch: Option<(RecordBatch, ScalarBuffer<i32>)>,
    at: usize,
    has_ended: bool,
    /// Number of batches read.
    batches: usize,
}

impl Cursor {
    fn new(rows: SendableRecordBatchStream, column: usize) -> Self {
        Self { rows, column, batch: None, at: 0, has_ended: false, batches: 0 }
    }

    /// Reads the next batch if the current one is used up.
    async fn fill(&mut self) -> Result<()> {
        while !self.has_ended && self.store().is_none() {
            let Some(batch) = self.rows.next().await.transpose()? else {
                (self.has_ended, self.batch) = (true, None);
                return Ok(());
            };
            let stores = batch.column(self.column).as_primitive::<Int32Type>().values().clone();
            (self.batch, self.at, self.batches) = (Some((batch, stores)), 0, self.batches + 1);
        }
        Ok(())
    }

    /// Store of the next row; `None` at the end of the batch.
    fn store(&self) -> Option<i32> {
        self.batch.as_ref().and_then(|(_, stores)| stores.get(self.at).copied())
    }

    /// Takes the next rows that have the same store.
    fn take_run(&mut self) -> Range<usize> {
        let Some((_, stores)) = &self.batch else { return 0..0 };
        let start = self.at;
        let same = stores[start..].iter().take_while(|store| **store == stores[start]).count();
        self.at = start + same;
        start..self.at
    }
}

/// Runs that will be copied into one batch.
#[derive(Default)]
struct RunCopies {
    /// Source batches, each identified by its cursor's index and batch number.
    batches: Vec<((usize, usize), RecordBatch)>,
    runs: Vec<(usize, Range<usize>)>,
    rows: usize,
}

impl RunCopies {
    fn push(&mut self, place: usize, cursor: &mut Cursor) {
        let run = cursor.take_run();
        let Some((batch, _)) = &cursor.batch else { return };
        let name = (place, cursor.batches);
        let known = self.batches.iter().rposition(|(known, _)| *known == name);
        let source = known.unwrap_or_else(|| {
            self.batches.push((name, batch.clone()));
            self.batches.len() - 1
        });
        self.rows += run.len();
        self.runs.push((source, run));
    }

    fn batch(&self, schema: &SchemaRef) -> Result<Option<RecordBatch>> {
        if self.runs.is_empty() {
            return Ok(None);
        }
        let columns = (0..schema.fields().len()).map(|column| self.column(column));
        Ok(Some(RecordBatch::try_new(SchemaRef::clone(schema), columns.collect::<Result<_>>()?)?))
    }

    fn column(&self, column: usize) -> Result<ArrayRef> {
        let sources: Vec<_> =
            self.batches.iter().map(|(_, batch)| batch.column(column).to_data()).collect();
        let mut merged =
            MutableArrayData::new(sources.iter().collect::<Vec<_>>(), false, self.rows);
        for (source, run) in &self.runs {
            merged.try_extend(*source, run.start, run.end)?;
        }
        Ok(make_array(merged.freeze()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, StringArray};
    use datafusion::error::DataFusionError;
    use futures::TryStreamExt;

    use super::*;

    /// Batches drawn as `3a 3b 5c | 7d`: stores, and the values of their rows.
    fn stream(drawn: &str) -> SendableRecordBatchStream {
        let batches: Vec<_> = drawn.split('|').map(batch).collect();
        let schema = batches[0].schema();
        let batches = futures::stream::iter(batches.into_iter().map(Ok));
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }

    fn batch(drawn: &str) -> RecordBatch {
        let words = || drawn.split_whitespace().map(|word| word.split_at(1));
        let stores: Int32Array = words().map(|(store, _)| store.parse::<i32>().ok()).collect();
        let rows: StringArray = words().map(|(_, row)| Some(row)).collect();
        RecordBatch::try_from_iter([
            ("store_no", Arc::new(stores) as ArrayRef),
            ("row", Arc::new(rows)),
        ])
        .unwrap()
    }

    async fn drawn(streams: &[&str]) -> Result<String, DataFusionError> {
        let schema = batch("").schema();
        let rows = merge_streams(schema, 0, streams.iter().map(|drawn| stream(drawn)).collect());
        let batches: Vec<_> = rows.try_collect().await?;
        let words = batches.iter().flat_map(|batch| {
            let stores = batch.column(0).as_primitive::<Int32Type>().values();
            let rows = batch.column(1).as_string::<i32>().iter().flatten();
            stores.iter().zip(rows).map(|(store, row)| format!("{store}{row}"))
        });
        Ok(words.collect::<Vec<_>>().join(" "))
    }

    #[tokio::test]
    async fn rows_come_by_store_then_in_order_of_the_streams() {
        for (streams, expected) in [
            (&["1a 2b", "1c 3d"][..], "1a 1c 2b 3d"),
            (&["3a", "1b 2c | 2d 3e", "2f"], "1b 2c 2d 2f 3a 3e"),
            (&["1a | 1b | 1c", "1d"], "1a 1b 1c 1d"),
            (&["", "1a | | 2b"], "1a 2b"),
            (&["1a 1b"], "1a 1b"),
            (&["", ""], ""),
        ] {
            assert_eq!(drawn(streams).await.unwrap(), expected, "{streams:?}");
        }
    }

    #[tokio::test]
    async fn a_stream_out_of_order_is_an_error() {
        assert!(drawn(&["2a 1b", "1c"]).await.is_err());
    }
}
