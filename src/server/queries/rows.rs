//! Rows of a query, from this process or a worker.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::{Stream, StreamExt};
#[cfg(unix)]
use tokio::task::JoinSet;

use super::Head;
use crate::error::Result;
#[cfg(unix)]
use crate::sql::spool::Reader;
use crate::sql::{self, Deliveries, Truncation};

/// Batches in the order of execution. Dropping them cancels the query.
pub struct Rows {
    head: Head,
    schema: SchemaRef,
    cut: Truncation,
    batches: Batches,
}

enum Batches {
    Local(Box<sql::Rows>),
    #[cfg(unix)]
    Worker {
        batches: Reader,
        /// Tasks that receive the batches; aborted with them.
        _receiving: JoinSet<()>,
    },
}

impl Rows {
    pub fn local(head: Head, rows: sql::Rows) -> Self {
        let (schema, cut) = (rows.schema(), rows.cut());
        Self { head, schema, cut, batches: Batches::Local(Box::new(rows)) }
    }

    /// Rows that tasks receive from a worker.
    #[cfg(unix)]
    pub fn from_worker(
        head: Head,
        schema: SchemaRef,
        cut: Truncation,
        batches: Reader,
        receiving: JoinSet<()>,
    ) -> Self {
        Self { head, schema, cut, batches: Batches::Worker { batches, _receiving: receiving } }
    }

    pub fn head(&self) -> &Head {
        &self.head
    }

    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Tells, after the last batch, whether rows beyond the limit were cut off.
    pub fn cut(&self) -> Truncation {
        self.cut.clone()
    }

    /// Progress marks for senders of smaller parts: each counts as activity of the client.
    pub fn deliveries(&self) -> Deliveries {
        match &self.batches {
            Batches::Local(rows) => rows.deliveries(),
            #[cfg(unix)]
            Batches::Worker { batches, .. } => batches.deliveries(),
        }
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Self::Item>> {
        match &mut self.batches {
            Batches::Local(rows) => rows.poll_next_unpin(context),
            #[cfg(unix)]
            Batches::Worker { batches, .. } => batches.poll_next_unpin(context),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use arrow::datatypes::Schema;

    use super::*;
    use crate::sql::spool::Spools;

    async fn items(sent: usize, has_ended: bool) -> Vec<bool> {
        let (mut writer, batches) = Spools::new(0, 1 << 20).open(0);
        let schema = Arc::new(Schema::empty());
        for _ in 0..sent {
            writer.send(RecordBatch::new_empty(Arc::clone(&schema))).await.unwrap();
        }
        if has_ended {
            writer.end(Ok(()));
        } else {
            drop(writer);
        }
        let head = Head { descriptions: Vec::new(), is_plan: false, is_repeatable: true };
        let rows = Rows::from_worker(head, schema, Truncation::default(), batches, JoinSet::new());
        rows.map(|item| item.is_ok()).collect().await
    }

    #[tokio::test]
    async fn truncated_rows_differ_from_complete_ones() {
        assert_eq!(items(2, true).await, [true, true]);
        assert_eq!(items(2, false).await, [true, true, false]);
        assert_eq!(items(0, false).await, [false]);
    }
}
