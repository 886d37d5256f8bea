//! Queue of batches between a query and its reader, in memory first and then on disk.
//!
//! The query ends and releases its resources while a slow client still reads. Batches keep their
//! order.
//!
//! While the memory budget lasts, batches pass through unchanged, except that large ones are split
//! so that a reader holds little however wide rows are. Batches beyond it spill to disk. With both
//! budgets exhausted, the writer holds one batch and waits until the reader takes it or a
//! reservation is released. The source of the batches is not known here.

mod budget;
mod deliveries;
mod encoding;
mod idle_watch;
mod queue;
mod spill_files;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use futures::Stream;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};

use self::budget::{Budget, Reservation, TotalBudget};
pub use self::deliveries::Deliveries;
use self::encoding::{compact, split};
pub use self::encoding::{decode, encode};
pub use self::idle_watch::Watch;
use self::queue::{Closed, Entry, Next, Queue};
use self::spill_files::Files;
use crate::error::{Error, Result};

/// Memory of one result; further batches spill to disk.
const MEMORY_BYTES: usize = 16 << 20;
/// Upper estimate of the size of a batch on disk beyond its size in memory: its schema.
const SCHEMA_BYTES: usize = 4 << 10;
/// Disk of all results together, as a multiple of the limit of one.
const TOTAL_DISK_FACTOR: usize = 4;

/// Budgets that all results of a process share.
#[derive(Clone)]
pub struct Spools {
    memory: TotalBudget,
    disk: TotalBudget,
    memory_bytes: usize,
    row_bytes_max: usize,
    folder: PathBuf,
    /// Set while the most recent write to disk has failed; a failure is logged once.
    is_failing: Arc<AtomicBool>,
}

impl Spools {
    /// Creates budgets: `disk_bytes` for each result, `all_memory_bytes` for all results together.
    pub fn new(disk_bytes: usize, all_memory_bytes: usize) -> Self {
        Self::within(disk_bytes.saturating_mul(TOTAL_DISK_FACTOR), MEMORY_BYTES, all_memory_bytes)
    }

    fn within(all_disk_bytes: usize, memory_bytes: usize, all_memory_bytes: usize) -> Self {
        let memory = TotalBudget::new(all_memory_bytes);
        let disk = TotalBudget::new(all_disk_bytes);
        let folder = std::env::temp_dir();
        let (row_bytes_max, is_failing) = (usize::MAX, Arc::default());
        Self { memory, disk, memory_bytes, row_bytes_max, folder, is_failing }
    }

    /// Same budgets, for results with rows of at most `row_bytes_max`.
    pub fn with_row_limit(self, row_bytes_max: usize) -> Self {
        Self { row_bytes_max, ..self }
    }

    /// Same budgets, with spill files in the folder.
    pub fn in_folder(&self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self.clone() }
    }

    /// Opens a queue with at most `disk_bytes` on disk. Disk writes run on the runtime that this is
    /// called on, so that threads of a query never wait for each other.
    pub fn open(&self, disk_bytes: usize) -> (Writer, Reader) {
        let queue = Arc::new(Queue::default());
        let writer = Writer {
            queue: Arc::clone(&queue),
            memory: self.memory.budget(self.memory_bytes),
            disk: Some(self.disk.budget(disk_bytes)).filter(Budget::is_nonzero),
            row_bytes_max: self.row_bytes_max,
            files: Arc::new(Files::in_folder(self.folder.clone())),
            is_failing: Arc::clone(&self.is_failing),
            threads: Handle::current(),
        };
        (writer, Reader { queue, reading: None, reservation: None, is_over: false })
    }
}

/// Sending end. Dropping it without [`Writer::end`] marks the result as aborted.
pub struct Writer {
    queue: Arc<Queue>,
    memory: Budget,
    /// `None` if there is no disk budget, or a write failed.
    disk: Option<Budget>,
    row_bytes_max: usize,
    files: Arc<Files>,
    is_failing: Arc<AtomicBool>,
    threads: Handle,
}

impl Writer {
    /// Appends a batch; waits while no reservation is available. A row larger than the limit ends
    /// the result with an error.
    ///
    /// # Errors
    /// Fails if the reader is gone or the result has ended.
    pub async fn send(&mut self, batch: RecordBatch) -> std::result::Result<(), Closed> {
        let parts = split(batch, self.row_bytes_max).map_err(|error| {
            self.queue.end(Err(error));
            Closed
        })?;
        for part in parts {
            self.send_part(part).await?;
        }
        Ok(())
    }

    async fn send_part(&mut self, batch: RecordBatch) -> std::result::Result<(), Closed> {
        // A batch that cannot be copied is kept unchanged.
        let batch = compact(batch.clone()).unwrap_or(batch);
        let held_bytes = batch.get_array_memory_size();
        if let Some(reservation) = self.memory.try_take(held_bytes) {
            return self.queue.push(Entry::Held { batch, reservation });
        }
        let disk_bytes = held_bytes.saturating_add(SCHEMA_BYTES);
        let reservation = self.disk.as_ref().and_then(|disk| disk.try_take(disk_bytes));
        if let Some(reservation) = reservation
            && let Some(entry) = self.write(&batch, reservation).await
        {
            return self.queue.push(entry);
        }
        // A file is deleted once it has been read, provided that nothing more is written to it.
        self.files.start_new_file();
        self.queue.offer(batch.clone())?;
        let freed = tokio::select! {
            taken = self.queue.until_taken() => return taken,
            reservation = self.memory.take(held_bytes) => Some(Entry::Held { batch, reservation }),
            reservation = reserve_disk(self.disk.as_ref(), disk_bytes) => {
                self.write(&batch, reservation).await
            }
        };
        match freed {
            Some(entry) => self.queue.place_offered(entry),
            None => self.queue.until_taken().await,
        }
    }

    /// Returns whether the writer waits for the reader, for lack of a reservation.
    pub fn is_full(&self) -> bool {
        self.queue.is_full()
    }

    /// Ends the result; batches already sent can still be read.
    pub fn end(self, end: Result<()>) {
        self.queue.end(end);
    }

    /// Writes a batch to disk and releases the unused part of its reservation. Returns `None` after
    /// a failure; the query then continues without the disk.
    async fn write(&mut self, batch: &RecordBatch, mut reservation: Reservation) -> Option<Entry> {
        let (files, batch) = (Arc::clone(&self.files), batch.clone());
        let filed = self.threads.spawn_blocking(move || {
            let bytes = encode(&batch)?;
            reservation.shrink(bytes.len());
            files.write(&bytes, reservation)
        });
        let filed =
            filed.await.map_err(|_| Error::bug("writing rows to disk was aborted")).flatten();
        let was_failing = self.is_failing.swap(filed.is_err(), Ordering::Relaxed);
        match filed {
            Ok(filed) => Some(Entry::Spilled(filed)),
            Err(error) => {
                if !was_failing {
                    let error = error.sentence();
                    tracing::warn!(error, "rows wait for their clients without the disk");
                }
                self.disk = None;
                None
            }
        }
    }
}

/// Waits for a reservation on disk; never returns without a disk budget.
async fn reserve_disk(disk: Option<&Budget>, bytes: usize) -> Reservation {
    match disk {
        Some(disk) => disk.take(bytes).await,
        None => std::future::pending().await,
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // An incomplete result must not look complete.
        self.queue.end(Err(Error::bug("a query was aborted")));
    }
}

/// Receiving end: batches in order, then the error that ended the result, if any. Dropping it
/// discards unread batches.
pub struct Reader {
    queue: Arc<Queue>,
    reading: Option<JoinHandle<Result<RecordBatch>>>,
    /// Reservation of the batch that was read last.
    reservation: Option<Reservation>,
    is_over: bool,
}

impl Reader {
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.queue))
    }

    pub fn deliveries(&self) -> Deliveries {
        self.queue.deliveries.clone()
    }

    fn take_next(&mut self, context: &mut Context) -> Poll<Option<Result<RecordBatch>>> {
        self.reservation = None;
        loop {
            if let Some(reading) = &mut self.reading {
                let read = ready!(Pin::new(reading).poll(context));
                self.reading = None;
                let broken = |_| Err(Error::bug("reading rows from disk was aborted"));
                return Poll::Ready(Some(read.unwrap_or_else(broken)));
            }
            match ready!(self.queue.next(context)) {
                Next::Batch(batch, reservation) => {
                    self.reservation = reservation;
                    return Poll::Ready(Some(Ok(batch)));
                }
                Next::Spilled(filed) => {
                    self.reading = Some(spawn_blocking(move || decode(filed.read()?)));
                }
                Next::End(end) => return Poll::Ready(end.err().map(Err)),
            }
        }
    }
}

impl Stream for Reader {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let next = ready!(self.take_next(context));
        self.is_over = !matches!(next, Some(Ok(_)));
        self.queue.deliveries.count();
        Poll::Ready(next)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.queue.discard(Error::bug("nobody reads the rows"));
    }
}

#[cfg(test)]
mod tests;
