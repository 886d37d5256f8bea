//! Reads files into checked rows: one thread decompresses and cuts, the others split and check.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{available_parallelism, scope};

use chrono_tz::Tz;
use csv::{ByteRecord, ReaderBuilder};

use super::blocks::{Block, Blocks};
use super::fields;
use super::header::{Header, Kind};
use super::polls::PollBatch;
use super::rejects::Reject;
use super::rows::{Row, each_row};
use super::source::Source;
use crate::error::{Error, Result};
use crate::rules::Opening;

/// What a load tells the outside, and hears from it.
pub struct Watch<'a> {
    /// Set by whoever wants the load to stop.
    pub stopped: &'a AtomicBool,
    /// Hears how many bytes of the files on disk were just read.
    pub read: &'a (dyn Fn(u64) + Sync),
}

impl Watch<'_> {
    /// # Errors
    /// [`Error::Interrupted`] where somebody asked to stop.
    pub fn check(&self) -> Result<()> {
        match self.stopped.load(Ordering::Relaxed) {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }
}

/// Checked rows of one file.
pub struct ReadFile {
    pub label: String,
    /// BLAKE3 of the decompressed content, in hexadecimal.
    pub content_hash: String,
    pub rows: u64,
    pub content: Content,
    /// In order of lines.
    pub rejects: Vec<Reject>,
}

pub enum Content {
    Polls(Vec<PollBatch>),
    BusinessHours(Vec<(String, Opening)>),
    /// In the order of the file: of several rows of one store, the last one wins.
    TimeZones(Vec<(String, Tz)>),
}

impl Content {
    pub fn kind(&self) -> Kind {
        match self {
            Content::Polls(_) => Kind::Polls,
            Content::BusinessHours(_) => Kind::BusinessHours,
            Content::TimeZones(_) => Kind::TimeZones,
        }
    }
}

/// How many rejects a load keeps; a file with more is not one that was meant to be loaded.
pub const REJECTS_MAX: usize = 1_000_000;

/// Reads one file; polls later than `latest_at` are rejected.
///
/// # Errors
/// Where the file cannot be read or decompressed, is empty or has no header that is known.
pub fn read_file(source: &Source, latest_at: i64, watch: &Watch) -> Result<ReadFile> {
    let label = source.label();
    let mut blocks = Blocks::new(label.clone(), source.open(watch.read)?);
    let (header, first) = header(&label, &mut blocks)?;
    let mut rejects = Vec::new();
    let (rows, content) = match header.kind {
        Kind::Polls => {
            let (rows, batches) =
                read_polls(&label, &header, first, &mut blocks, &mut rejects, latest_at, watch)?;
            (rows, Content::Polls(batches))
        }
        Kind::BusinessHours => {
            let mut hours = Vec::new();
            let take = |row: &Row| opening(row).map(|row| hours.push(row));
            (
                each_block_row(&label, &header, first, &mut blocks, &mut rejects, watch, take)?,
                Content::BusinessHours(hours),
            )
        }
        Kind::TimeZones => {
            let mut zones = Vec::new();
            let take = |row: &Row| time_zone(row).map(|row| zones.push(row));
            (
                each_block_row(&label, &header, first, &mut blocks, &mut rejects, watch, take)?,
                Content::TimeZones(zones),
            )
        }
    };
    if rows == 0 && header.kind != Kind::Polls {
        // Taken at its word it would leave every store without hours or a zone.
        return Err(Error::File(format!("{label:?} has a header and no rows; expected rows")));
    }
    rejects.sort_unstable();
    Ok(ReadFile { content_hash: blocks.content_hash(), label, rows, content, rejects })
}

/// The header, and what is left of the block that it was in.
fn header(label: &str, blocks: &mut Blocks) -> Result<(Header, Block)> {
    let empty = || Error::File(format!("{label:?} is empty; expected a header and rows"));
    let mut block = blocks.next_block()?.ok_or_else(empty)?;
    let mut record = ByteRecord::new();
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).from_reader(block.bytes.as_slice());
    if !reader.read_byte_record(&mut record).unwrap_or(false)
        || record.iter().all(|field| field.trim_ascii().is_empty())
    {
        return Err(empty());
    }
    let end = reader.position().byte() as usize;
    let header = Header::of(label, &record)?;
    block.line += memchr::memchr_iter(b'\n', &block.bytes[..end]).count() as u64;
    block.bytes.drain(..end);
    Ok((header, block))
}

fn each_block_row(
    label: &str,
    header: &Header,
    first: Block,
    blocks: &mut Blocks,
    rejects: &mut Vec<Reject>,
    watch: &Watch,
    mut take: impl FnMut(&Row) -> std::result::Result<(), Reject>,
) -> Result<u64> {
    let mut rows = 0;
    let mut next = Some(first);
    while let Some(block) = next {
        watch.check()?;
        rows += each_row(label, header, &block, rejects, &mut take);
        check_rejects(label, rejects.len())?;
        next = blocks.next_block()?;
    }
    Ok(rows)
}

fn opening(row: &Row) -> std::result::Result<(String, Opening), Reject> {
    let id = row.read(0, fields::store_id)?;
    let weekday = row.read(1, fields::weekday)?;
    let start_s = row.read(2, fields::start_time)?;
    let end_s = row.read(3, fields::end_time)?;
    let opening = Opening::new(weekday, start_s, end_s);
    let opening = opening.ok_or_else(|| row.reject("", "is no interval of a day".into()))?;
    Ok((id.to_owned(), opening))
}

fn time_zone(row: &Row) -> std::result::Result<(String, Tz), Reject> {
    let id = row.read(0, fields::store_id)?;
    Ok((id.to_owned(), row.read(1, fields::time_zone)?))
}

/// Each worker fills batches of its own, so that none waits for another.
fn read_polls(
    label: &str,
    header: &Header,
    first: Block,
    blocks: &mut Blocks,
    rejects: &mut Vec<Reject>,
    latest_at: i64,
    watch: &Watch,
) -> Result<(u64, Vec<PollBatch>)> {
    let workers = available_parallelism().map_or(1, usize::from);
    let (send, receive) = sync_channel::<Block>(workers);
    let receive = Mutex::new(receive);
    let work = || {
        let (mut rows, mut batch, mut rejects) = (0, PollBatch::default(), Vec::new());
        while let Some(block) = next_of(&receive) {
            // Beyond the limit the load is lost, but the blocks have to go somewhere.
            if rejects.len() <= REJECTS_MAX {
                rows +=
                    each_row(label, header, &block, &mut rejects, |row| batch.take(row, latest_at));
            }
        }
        (rows, batch, rejects)
    };
    scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let sent = send_all(first, blocks, watch, &send);
        drop(send);
        let (mut rows, mut batches) = (0, Vec::new());
        for thread in threads {
            let (read, batch, rejected) =
                thread.join().map_err(|_| Error::bug(format!("reading {label:?} failed")))?;
            rows += read;
            batches.push(batch);
            rejects.extend(rejected);
        }
        check_rejects(label, rejects.len())?;
        sent?;
        Ok((rows, batches))
    })
}

fn send_all(
    first: Block,
    blocks: &mut Blocks,
    watch: &Watch,
    send: &std::sync::mpsc::SyncSender<Block>,
) -> Result<()> {
    let mut next = Some(first);
    while let Some(block) = next {
        watch.check()?;
        send.send(block).map_err(|_| Error::bug("the threads that read rows are gone"))?;
        next = blocks.next_block()?;
    }
    Ok(())
}

fn next_of(receive: &Mutex<Receiver<Block>>) -> Option<Block> {
    receive.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn check_rejects(label: &str, rejects: usize) -> Result<()> {
    match rejects > REJECTS_MAX {
        true => Err(Error::File(format!(
            "{label:?}: more than {REJECTS_MAX} rows break a rule; expected a file of another kind of rows"
        ))),
        false => Ok(()),
    }
}
