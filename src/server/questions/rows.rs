//! The rows of a question, wherever they are computed.

use std::pin::Pin;
use std::sync::Arc;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::{Stream, StreamExt};
#[cfg(unix)]
use tokio::sync::mpsc;

use super::Head;
#[cfg(unix)]
use crate::error::Error;
use crate::error::Result;
use crate::sql::{self, Cut};

/// Batches, in the order in which they were computed. Dropping them ends the question.
pub struct Rows {
    head: Head,
    schema: SchemaRef,
    cut: Cut,
    batches: Batches,
}

enum Batches {
    Here(Box<sql::Rows>),
    #[cfg(unix)]
    Apart {
        batches: mpsc::Receiver<Result<RecordBatch>>,
        /// Set before the last sender goes.
        has_ended: Arc<AtomicBool>,
    },
    #[cfg(unix)]
    Ended,
}

impl Rows {
    pub fn here(head: Head, rows: sql::Rows) -> Self {
        let (schema, cut) = (rows.schema(), rows.cut());
        Self { head, schema, cut, batches: Batches::Here(Box::new(rows)) }
    }

    /// What is received, until it has ended.
    #[cfg(unix)]
    pub fn apart(
        head: Head,
        schema: SchemaRef,
        cut: Cut,
        batches: mpsc::Receiver<Result<RecordBatch>>,
        has_ended: Arc<AtomicBool>,
    ) -> Self {
        Self { head, schema, cut, batches: Batches::Apart { batches, has_ended } }
    }

    pub fn head(&self) -> &Head {
        &self.head
    }

    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Tells, after the last batch, whether there were more than the limit.
    pub fn cut(&self) -> Cut {
        self.cut.clone()
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Self::Item>> {
        match &mut self.batches {
            Batches::Here(rows) => rows.poll_next_unpin(context),
            #[cfg(unix)]
            Batches::Apart { batches, has_ended } => match batches.poll_recv(context) {
                Poll::Ready(None) => {
                    let has_ended = has_ended.load(Ordering::Acquire);
                    self.batches = Batches::Ended;
                    // Part of the rows must not look like all of them.
                    let broken = (!has_ended).then(|| Err(Error::bug("a query broke off")));
                    Poll::Ready(broken)
                }
                other => other,
            },
            #[cfg(unix)]
            Batches::Ended => Poll::Ready(None),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use arrow::datatypes::Schema;

    use super::*;

    async fn items(sent: usize, has_ended: bool) -> Vec<bool> {
        let (sender, batches) = mpsc::channel(4);
        let schema = Arc::new(Schema::empty());
        for _ in 0..sent {
            sender.send(Ok(RecordBatch::new_empty(Arc::clone(&schema)))).await.unwrap();
        }
        drop(sender);
        let head = Head { descriptions: Vec::new(), is_plan: false, is_repeatable: true };
        let has_ended = Arc::new(AtomicBool::new(has_ended));
        let rows = Rows::apart(head, schema, Cut::default(), batches, has_ended);
        rows.map(|item| item.is_ok()).collect().await
    }

    #[tokio::test]
    async fn part_of_the_rows_does_not_look_like_all_of_them() {
        assert_eq!(items(2, true).await, [true, true]);
        assert_eq!(items(2, false).await, [true, true, false]);
        assert_eq!(items(0, false).await, [false]);
    }
}
