//! The rows of a question, wherever they are computed.

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

/// Batches, in the order in which they were computed. Dropping them ends the question.
pub struct Rows {
    head: Head,
    schema: SchemaRef,
    cut: Truncation,
    batches: Batches,
}

enum Batches {
    Here(Box<sql::Rows>),
    #[cfg(unix)]
    Apart {
        batches: Reader,
        /// What receives them; it ends with them.
        _receiving: JoinSet<()>,
    },
}

impl Rows {
    pub fn here(head: Head, rows: sql::Rows) -> Self {
        let (schema, cut) = (rows.schema(), rows.cut());
        Self { head, schema, cut, batches: Batches::Here(Box::new(rows)) }
    }

    /// What tasks receive from another process.
    #[cfg(unix)]
    pub fn apart(
        head: Head,
        schema: SchemaRef,
        cut: Truncation,
        batches: Reader,
        receiving: JoinSet<()>,
    ) -> Self {
        Self { head, schema, cut, batches: Batches::Apart { batches, _receiving: receiving } }
    }

    pub fn head(&self) -> &Head {
        &self.head
    }

    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Tells, after the last batch, whether there were more than the limit.
    pub fn cut(&self) -> Truncation {
        self.cut.clone()
    }

    /// For whoever sends them in parts that are smaller than batches: each counts as progress of a
    /// client that may not be idle.
    pub fn deliveries(&self) -> Deliveries {
        match &self.batches {
            Batches::Here(rows) => rows.deliveries(),
            #[cfg(unix)]
            Batches::Apart { batches, .. } => batches.deliveries(),
        }
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Self::Item>> {
        match &mut self.batches {
            Batches::Here(rows) => rows.poll_next_unpin(context),
            #[cfg(unix)]
            Batches::Apart { batches, .. } => batches.poll_next_unpin(context),
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
        let rows = Rows::apart(head, schema, Truncation::default(), batches, JoinSet::new());
        rows.map(|item| item.is_ok()).collect().await
    }

    #[tokio::test]
    async fn part_of_the_rows_does_not_look_like_all_of_them() {
        assert_eq!(items(2, true).await, [true, true]);
        assert_eq!(items(2, false).await, [true, true, false]);
        assert_eq!(items(0, false).await, [false]);
    }
}
