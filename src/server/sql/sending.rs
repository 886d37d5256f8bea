//! The rows of a question on their way to a client.
//!
//! What fits into the first part is sent as a whole, with headers that tell the outcome. Of more, the
//! first part is sent when it is full and the rest as it comes: a cut is noted behind the last row
//! then, and what goes wrong breaks the body off, so that nobody takes a part for the whole. Rows are
//! computed and written on other threads than those that talk to clients, and no longer than
//! somebody takes them.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use bytes::Bytes;
use datafusion::logical_expr::LogicalPlan;
use futures::{Stream, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use warp::Reply as _;
use warp::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use warp::reply::Response as Reply;

use super::super::download;
use super::super::reports::without_folder;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::report::{Format, Writer};
use crate::sql::{Described, Limits, Rows, Session};

/// Says that rows were cut off, and by which limit.
const CUT: HeaderName = HeaderName::from_static("uptally-cut");
/// Of the first part: most results are smaller, and have their outcome in the headers.
pub const FIRST_BYTES_MAX: usize = 4 << 20;
/// Of each later part, roughly.
const PART_BYTES: usize = 64 << 10;
const PARTS_AHEAD: usize = 2;

pub struct Question {
    pub session: Arc<Session>,
    pub plan: LogicalPlan,
    pub limits: Limits,
    pub format: Format,
    /// Where the tables lie, which is nobody's business.
    pub folder: PathBuf,
}

/// What the work makes, on the threads; stopped where nobody waits for it any more.
pub async fn on_threads<T: Send + 'static>(
    threads: &Handle,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    // Unlike a task, a set of tasks ends with who holds it.
    let mut tasks = JoinSet::new();
    tasks.spawn_on(Client::current().asks(work), threads);
    match tasks.join_next().await {
        Some(Ok(made)) => made,
        broken => {
            Err(Error::bug(format!("a query broke off: {:?}", broken.map(|made| made.err()))))
        }
    }
}

/// # Errors
/// Where the question cannot be answered, as far as that shows within the first part.
pub async fn reply(threads: &Handle, question: Question) -> Result<Reply> {
    let media_type = download::kind(question.format).media_type;
    let (first, rest) = on_threads(threads, first_part(question)).await?;
    let (mut reply, cut) = match rest {
        Rest::Nothing { cut } => (Reply::new(first.into()), cut),
        Rest::More(writing) => {
            let (sender, parts) = mpsc::channel(PARTS_AHEAD);
            let mut tasks = JoinSet::new();
            tasks.spawn_on(writing.send_all(sender), threads);
            let parts = Parts { first: Some(first.into()), parts, _writing: tasks };
            (warp::reply::stream(parts).into_response(), None)
        }
    };
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.extend(cut.and_then(|cut| HeaderValue::from_str(&cut).ok()).map(|cut| (CUT, cut)));
    Ok(reply)
}

enum Rest {
    Nothing { cut: Option<String> },
    More(Box<Writing>),
}

async fn first_part(question: Question) -> Result<(Vec<u8>, Rest)> {
    let Question { session, plan, limits, format, folder } = question;
    let is_plan = matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_));
    let described = Described::of(&plan);
    let rows = session.run(plan, limits).await?;
    let writer = Writer::new(format, &described.schema(&rows.schema()))?;
    let mut writing = Writing { rows, writer, limits, folder: is_plan.then_some(folder) };
    let mut first = Vec::new();
    while first.len() < FIRST_BYTES_MAX {
        if !writing.write_more().await? {
            writing.writer.finish()?;
            first.extend(writing.writer.take());
            return Ok((first, Rest::Nothing { cut: writing.cut() }));
        }
        first.extend(writing.writer.take());
    }
    Ok((first, Rest::More(Box::new(writing))))
}

/// Rows on their way into a format.
struct Writing {
    rows: Rows,
    writer: Writer,
    limits: Limits,
    /// Where it must not show.
    folder: Option<PathBuf>,
}

impl Writing {
    /// Whether there was more.
    async fn write_more(&mut self) -> Result<bool> {
        let Some(batch) = self.rows.next().await.transpose()? else { return Ok(false) };
        match &self.folder {
            Some(folder) => self.writer.write(&without(&batch, folder)?)?,
            None => self.writer.write(&batch)?,
        }
        Ok(true)
    }

    fn cut(&self) -> Option<String> {
        let rows = self.limits.rows;
        let is_cut = self.rows.cut().is_cut();
        is_cut.then(|| format!("cut off after {rows} rows, the limit (--sql-rows, max_rows)"))
    }

    async fn send_all(mut self: Box<Self>, sender: mpsc::Sender<Result<Bytes>>) {
        if let Err(error) = self.send_parts(&sender).await {
            tracing::warn!(error = error.sentence(), "an answer in SQL was broken off");
            drop(sender.send(Err(error)).await);
        }
    }

    async fn send_parts(&mut self, sender: &mpsc::Sender<Result<Bytes>>) -> Result<()> {
        let mut part = Vec::new();
        let mut is_more = true;
        while is_more {
            is_more = self.write_more().await?;
            if !is_more {
                self.cut().map_or(Ok(()), |cut| self.writer.note_cut(&cut))?;
                self.writer.finish()?;
            }
            part.extend(self.writer.take());
            if part.len() >= PART_BYTES || !is_more {
                let sent = sender.send(Ok(std::mem::take(&mut part).into())).await;
                is_more &= sent.is_ok();
            }
        }
        Ok(())
    }
}

/// The body; the query ends with it.
struct Parts {
    first: Option<Bytes>,
    parts: mpsc::Receiver<Result<Bytes>>,
    _writing: JoinSet<()>,
}

impl Stream for Parts {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Self::Item>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => self.parts.poll_recv(context),
        }
    }
}

/// Rows of a plan, without the folder that its scans name.
fn without(batch: &RecordBatch, folder: &std::path::Path) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(|column| -> ArrayRef {
        if column.data_type() != &DataType::Utf8 {
            return Arc::clone(column);
        }
        let texts = column.as_string::<i32>().iter();
        let texts = texts.map(|text| text.map(|text| without_folder(text.to_owned(), folder)));
        Arc::new(texts.collect::<StringArray>())
    });
    Ok(RecordBatch::try_new(batch.schema(), columns.collect())?)
}
