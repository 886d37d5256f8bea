//! Streams the rows of a query to a client.
//!
//! A result that fits into the first part is sent as a whole, with headers that tell the outcome.
//! Otherwise the first part is sent when it is full, and the rest as it comes; a truncation is then
//! noted behind the last row, and an error aborts the body, so that no client takes a part for the
//! whole. Rows are computed and encoded on the compute pool, and no longer than the client stays; a
//! query does not wait for a client that reads slowly.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use warp::Reply as _;
use warp::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use warp::reply::Response as Reply;

use super::super::Service;
use super::super::budget::{Budget, Share};
use super::super::queries::{Rows, SqlQuery};
use super::super::reports::without_folder;
use super::super::request_limits::REQUEST_BYTES;
use crate::client::Client;
use crate::error::{Error, Result, counted};
use crate::limits::Limits;
use crate::report::{Format, Writer};
use crate::sql::Deliveries;

/// Header that tells of truncated rows, and the limit.
const CUT: HeaderName = HeaderName::from_static("uptally-cut");
/// Size of the first part: most results are smaller, and have their outcome in the headers.
const FIRST_BYTES_MAX: usize = 4 << 20;
/// Size of each later part, roughly.
const PART_BYTES: usize = 64 << 10;
const PARTS_AHEAD: usize = 2;
/// Bytes sent at once; a client that takes so few is not idle.
const SENT_BYTES: usize = 256 << 10;
/// Size of rows encoded at once, roughly: the encoded bytes wait for the client in memory.
const ENCODED_BYTES: usize = 512 << 10;

/// Memory of a response besides its first part: encoded rows, and parts on their way.
fn later_bytes(format: Format) -> usize {
    match format {
        Format::Parquet => 8 << 20,
        Format::Arrow | Format::ArrowStream => 4 << 20,
        Format::Csv | Format::Json | Format::Ndjson | Format::Table | Format::Markdown => 1 << 20,
    }
}

/// Size of rows encoded at once; formats with batches keep those of the query.
fn bytes_at_once(format: Format) -> usize {
    match format {
        Format::Parquet | Format::Arrow | Format::ArrowStream => usize::MAX,
        Format::Csv | Format::Json | Format::Ndjson | Format::Table | Format::Markdown => {
            ENCODED_BYTES
        }
    }
}

/// First part of a response; reserves memory as it grows.
struct FirstPart {
    bytes: Vec<u8>,
    later_bytes: usize,
    share: Share,
}

impl FirstPart {
    /// # Errors
    /// If there is no memory for what precedes the first byte.
    fn new(budget: &Arc<Budget>, format: Format) -> Result<Self> {
        let later_bytes = later_bytes(format) + REQUEST_BYTES;
        let share = budget.take(Client::current(), later_bytes)?;
        Ok(Self { bytes: Vec::new(), later_bytes, share })
    }

    /// # Errors
    /// If there is no memory for the bytes.
    fn extend(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        self.share.resize(self.bytes.len() + self.later_bytes)
    }

    /// Releases what is reserved for later parts: there are none.
    fn end(mut self) -> Result<Self> {
        self.share.resize(self.bytes.len() + REQUEST_BYTES)?;
        Ok(self)
    }
}

pub struct StreamedQuery {
    pub query: SqlQuery,
    pub limits: Limits,
    pub format: Format,
    /// Folder of the tables, which clients must not see.
    pub folder: PathBuf,
}

/// Runs a future on the pool; aborted when the caller drops this.
pub async fn run_cancellable<T: Send + 'static>(
    threads: &Handle,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    // Unlike a task, a set of tasks is aborted when its holder drops it.
    let mut tasks = JoinSet::new();
    tasks.spawn_on(Client::current().scope(work), threads);
    match tasks.join_next().await {
        Some(Ok(made)) => made,
        broken => Err(Error::bug(format!("a query aborted: {:?}", broken.map(|made| made.err())))),
    }
}

/// Response, and whether the same data always give the same rows.
///
/// # Errors
/// If the query fails before the first part is sent.
pub async fn reply(service: &Service, streamed: StreamedQuery) -> Result<(Reply, bool)> {
    let threads = service.compute.handle();
    let content_type = streamed.format.content_type();
    let part = first_part(service.clone(), streamed);
    let (FirstPart { bytes, share, .. }, rest, is_repeatable) =
        run_cancellable(threads, part).await?;
    let (mut reply, cut) = match rest {
        Rest::Nothing { cut } => (Reply::new(bytes.into()), cut),
        Rest::More(encoder) => {
            let (sender, parts) = mpsc::channel(PARTS_AHEAD);
            let deliveries = encoder.rows.deliveries();
            let mut tasks = JoinSet::new();
            tasks.spawn_on(encoder.send_all(sender), threads);
            let parts = Parts { part: bytes.into(), parts, deliveries, _writing: tasks };
            (warp::reply::stream(parts).into_response(), None)
        }
    };
    reply.extensions_mut().insert(Arc::new(share));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.extend(cut.and_then(|cut| HeaderValue::from_str(&cut).ok()).map(|cut| (CUT, cut)));
    Ok((reply, is_repeatable))
}

enum Rest {
    Nothing { cut: Option<String> },
    More(Box<RowEncoder>),
}

async fn first_part(service: Service, streamed: StreamedQuery) -> Result<(FirstPart, Rest, bool)> {
    let StreamedQuery { query, limits, format, folder } = streamed;
    let rows = service.queries.run(query).await?;
    let mut first = FirstPart::new(&service.compute.budget, format)?;
    let (is_plan, is_repeatable) = (rows.head().is_plan, rows.head().is_repeatable);
    let described = rows.head().descriptions();
    let writer = Writer::new(format, &described.schema(&rows.schema()))?;
    let folder = is_plan.then_some(folder);
    let bytes_at_once = bytes_at_once(format);
    let mut encoder = RowEncoder { rows, bytes_at_once, pending: None, writer, limits, folder };
    while first.bytes.len() < FIRST_BYTES_MAX {
        if !encoder.encode_more().await? {
            encoder.writer.finish()?;
            first.extend(&encoder.writer.take())?;
            return Ok((first.end()?, Rest::Nothing { cut: encoder.cut() }, is_repeatable));
        }
        first.extend(&encoder.writer.take())?;
    }
    Ok((first, Rest::More(Box::new(encoder)), is_repeatable))
}

/// Encoder of rows, with its state.
struct RowEncoder {
    rows: Rows,
    /// Bytes of a batch encoded at once, roughly.
    bytes_at_once: usize,
    /// Rest of a batch.
    pending: Option<PendingRows>,
    writer: Writer,
    limits: Limits,
    /// Folder to remove from plans.
    folder: Option<PathBuf>,
}

impl RowEncoder {
    /// Encodes more rows; returns false after the last.
    async fn encode_more(&mut self) -> Result<bool> {
        if self.pending.is_none() {
            let batch = self.rows.next().await.transpose()?;
            self.pending = batch.map(|batch| PendingRows::new(batch, self.bytes_at_once));
        }
        let Some(pending) = self.pending.take() else { return Ok(false) };
        let (batch, rest) = pending.split();
        self.pending = rest;
        match &self.folder {
            Some(folder) => self.writer.write(&without(&batch, folder)?)?,
            None => self.writer.write(&batch)?,
        }
        Ok(true)
    }

    fn cut(&self) -> Option<String> {
        let rows = counted(self.limits.rows, "row", "rows");
        let is_cut = self.rows.cut().is_cut();
        is_cut.then(|| format!("cut off after {rows}, the limit (--sql-rows, max_rows)"))
    }

    async fn send_all(mut self: Box<Self>, sender: mpsc::Sender<Result<Bytes>>) {
        if let Err(error) = self.send_parts(&sender).await {
            tracing::warn!(error = error.sentence(), "an SQL response was aborted");
            drop(sender.send(Err(error)).await);
        }
    }

    async fn send_parts(&mut self, sender: &mpsc::Sender<Result<Bytes>>) -> Result<()> {
        let mut part = Vec::new();
        let mut is_more = true;
        while is_more {
            is_more = self.encode_more().await?;
            if !is_more {
                self.cut().map_or(Ok(()), |cut| self.writer.write_truncation_note(&cut))?;
                self.writer.finish()?;
            }
            part.extend(self.writer.take());
            if part.len() >= PART_BYTES || !is_more {
                is_more &= send_part(std::mem::take(&mut part).into(), sender).await;
            }
        }
        Ok(())
    }
}

/// Sends the part; returns true if the client took it. Completes when little of it is left.
async fn send_part(mut part: Bytes, sender: &mpsc::Sender<Result<Bytes>>) -> bool {
    loop {
        let next = part.split_to(part.len().min(SENT_BYTES));
        if sender.send(Ok(next)).await.is_err() {
            return false;
        }
        if part.is_empty() {
            return true;
        }
    }
}

/// Rest of a batch, encoded by a number of rows at once.
struct PendingRows {
    rows: RecordBatch,
    at_once: usize,
}

impl PendingRows {
    fn new(rows: RecordBatch, bytes_at_once: usize) -> Self {
        let bytes = rows.get_array_memory_size().max(1);
        let at_once = rows.num_rows().saturating_mul(bytes_at_once) / bytes;
        Self { rows, at_once: at_once.max(1) }
    }

    /// Rows to encode next, and the rest, if any.
    fn split(self) -> (RecordBatch, Option<Self>) {
        let Self { rows, at_once } = self;
        if rows.num_rows() <= at_once {
            return (rows, None);
        }
        let rest = rows.slice(at_once, rows.num_rows() - at_once);
        (rows.slice(0, at_once), Some(Self { rows: rest, at_once }))
    }
}

/// Body; dropping it cancels the query.
struct Parts {
    /// Unsent rest of a part.
    part: Bytes,
    parts: mpsc::Receiver<Result<Bytes>>,
    deliveries: Deliveries,
    _writing: JoinSet<()>,
}

impl Stream for Parts {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Self::Item>> {
        if self.part.is_empty() {
            match ready!(self.parts.poll_recv(context)) {
                Some(Ok(part)) => self.part = part,
                end => return Poll::Ready(end),
            }
        }
        self.deliveries.count();
        let length = self.part.len().min(SENT_BYTES);
        Poll::Ready(Some(Ok(self.part.split_to(length))))
    }
}

/// Rows of a plan without the folder that its scans name.
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

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    #[test]
    fn an_answer_takes_memory_as_it_is_made() {
        // A client may have half of it.
        let budget = Arc::new(Budget::new(8 << 20));
        let is_free = |bytes: usize| budget.take(Client::Own, bytes).is_ok();
        let mut first = FirstPart::new(&budget, Format::Csv).unwrap();
        assert!(is_free(2 << 20) && !is_free(3 << 20));
        assert!(FirstPart::new(&budget, Format::Arrow).is_err());
        first.extend(&vec![b' '; 1 << 20]).unwrap();
        assert!(is_free(1 << 20) && !is_free(2 << 20));
        let first = first.end().unwrap();
        assert!(is_free(2 << 20) && !is_free(3 << 20));
        drop(first.bytes);
        assert!(!is_free(3 << 20));
        drop(first.share);
        let mut first = FirstPart::new(&budget, Format::Csv).unwrap();
        assert!(matches!(first.extend(&vec![b' '; 3 << 20]), Err(Error::Busy(_))));
    }

    #[test]
    fn a_large_batch_is_written_in_pieces() {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..200_000));
        let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
        let (mut pieces, mut left) =
            (Vec::new(), Some(PendingRows::new(batch.clone(), ENCODED_BYTES)));
        while let Some(pending) = left {
            let (piece, rest) = pending.split();
            assert!(piece.num_rows() * 8 <= ENCODED_BYTES);
            pieces.push(piece);
            left = rest;
        }
        let whole = arrow::compute::concat_batches(&batch.schema(), &pieces).unwrap();
        assert!(pieces.len() == 4 && whole == batch, "{}", pieces.len());
        let (small, rest) = PendingRows::new(batch.slice(0, 0), usize::MAX).split();
        assert!(small.num_rows() == 0 && rest.is_none());
        assert!(PendingRows::new(batch, usize::MAX).split().1.is_none());
    }
}
