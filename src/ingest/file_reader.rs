//! Reads files into checked rows: one thread decompresses and cuts blocks, the others parse them.

use std::thread::{available_parallelism, scope};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::blocks::{Block, Blocks};
use super::fields;
use super::file_kind::FileKind;
use super::header::Header;
use super::load_control::LoadControl;
use super::poll_batch::{PollBatch, read_poll};
use super::rejects::Reject;
use super::rows::{Row, each_row};
use super::source::Source;
use super::spill_file::SpillFile;
use super::store_search::StoreSearch;
use crate::error::{Error, Result};
use crate::rules::{HoursRow, Zone, ZoneRules};

/// Checked rows of a file.
pub struct ReadFile {
    pub source: Source,
    pub label: String,
    /// BLAKE3 of the decompressed content, in hexadecimal.
    pub content_hash: String,
    pub rows: u64,
    pub content: Content,
    /// Sorted by line.
    pub rejects: Vec<Reject>,
}

impl ReadFile {
    /// Batches of polls; empty for hours and zones.
    pub fn poll_batches(&mut self) -> &mut [PollBatch] {
        match &mut self.content {
            Content::Polls(batches) => batches,
            Content::BusinessHours(_) | Content::TimeZones(_) => &mut [],
        }
    }
}

pub enum Content {
    Polls(Vec<PollBatch>),
    BusinessHours(Vec<(String, HoursRow)>),
    /// In file order; the last row of a store wins.
    TimeZones(Vec<(String, Zone)>),
}

impl Content {
    pub fn kind(&self) -> FileKind {
        match self {
            Content::Polls(_) => FileKind::Polls,
            Content::BusinessHours(_) => FileKind::BusinessHours,
            Content::TimeZones(_) => FileKind::TimeZones,
        }
    }
}

/// Rejects that a load keeps; a file with more is most likely the wrong one.
pub const REJECTS_MAX: usize = 1_000_000;

/// Everything that reading needs besides the file.
#[derive(Clone, Copy)]
pub struct ReadContext<'a> {
    /// Later polls are rejected.
    pub latest_at: i64,
    /// Zones unknown to these rules are rejected.
    pub zone_rules: &'a ZoneRules,
    pub spill: &'a SpillFile,
    pub control: &'a LoadControl<'a>,
}

/// Reads one file.
///
/// # Errors
/// The file cannot be read or decompressed, is empty, or has no known header.
pub fn read_file(source: Source, context: ReadContext) -> Result<ReadFile> {
    let label = source.label();
    let mut blocks = Blocks::new(label.clone(), source.open(context.control.on_read)?);
    let (header, first) = header(&label, &mut blocks)?;
    let mut file = Reading { label: &label, header: &header, first: Some(first), blocks, context };
    let mut rejects = Vec::new();
    let (rows, content) = match header.kind {
        FileKind::Polls => {
            let (rows, batches) = file.polls(&mut rejects)?;
            (rows, Content::Polls(batches))
        }
        FileKind::BusinessHours => {
            let (rows, hours) = file.rows(&mut rejects, opening)?;
            (rows, Content::BusinessHours(hours))
        }
        FileKind::TimeZones => {
            let (rows, zones) =
                file.rows(&mut rejects, |row| time_zone(row, context.zone_rules))?;
            (rows, Content::TimeZones(zones))
        }
    };
    if rows == 0 && header.kind != FileKind::Polls {
        // Loading it would take the hours or zone away from every store.
        return Err(Error::File(format!("{label:?} has a header but no rows; check the export")));
    }
    rejects.sort_unstable();
    let content_hash = file.blocks.content_hash();
    drop(file);
    Ok(ReadFile { source, content_hash, label, rows, content, rejects })
}

/// Reads a file of polls again. Calls `see` with the store, instant, status and line of each valid
/// poll of `stores`, unordered. Returns the hash of the content.
///
/// # Errors
/// Like [`read_file`].
pub fn reread_polls(
    source: &Source,
    context: ReadContext,
    stores: &StoreSearch,
    see: impl Fn(&str, i64, bool, u64) + Sync,
) -> Result<String> {
    let label = source.label();
    let mut blocks = Blocks::new(label.clone(), source.open(context.control.on_read)?);
    let (header, first) = header(&label, &mut blocks)?;
    let mut file = Reading { label: &label, header: &header, first: Some(first), blocks, context };
    let read = |row: &Row| -> std::result::Result<(), Reject> {
        if stores.contains(row.read(0, fields::store_id)?) {
            let (id, polled_at, active) = read_poll(row, context.latest_at)?;
            see(id, polled_at, active, row.line());
        }
        Ok(())
    };
    file.in_parallel(|_: &mut Worker<()>, block| {
        stores.each_part(block, |part| {
            // Rejects were reported when the file was first read.
            each_row(&label, &header, part, &mut Vec::new(), read);
        });
        Ok(())
    })?;
    Ok(file.blocks.content_hash())
}

/// Reads a file from memory, in blocks of about `block_bytes`, as [`read_file`] does. Returns the
/// checked rows and the rejects, each in file order and as text.
///
/// # Errors
/// Like [`read_file`].
#[cfg(any(test, feature = "fuzzing"))]
pub fn read_bytes(file: &[u8], block_bytes: usize) -> Result<(Vec<String>, Vec<String>)> {
    const LABEL: &str = "bytes";
    let rules = ZoneRules::bundled();
    let mut blocks = Blocks::with_size(LABEL.to_owned(), Box::new(file), block_bytes);
    let (header, first) = header(LABEL, &mut blocks)?;
    let (mut valid, mut rejects, mut next) = (Vec::new(), Vec::new(), Some(first));
    while let Some(block) = next {
        each_row(LABEL, &header, &block, &mut rejects, |row| {
            valid.push(match header.kind {
                FileKind::Polls => format!("{:?}", read_poll(row, i64::MAX)?),
                FileKind::BusinessHours => format!("{:?}", opening(row)?),
                FileKind::TimeZones => format!("{:?}", time_zone(row, &rules)?),
            });
            Ok(())
        });
        next = blocks.next_block()?;
    }
    Ok((valid, rejects.iter().map(|reject| format!("{reject:?}")).collect()))
}

/// Reads the header, and returns it with the rest of its block.
fn header(label: &str, blocks: &mut Blocks) -> Result<(Header, Block)> {
    while let Some(mut block) = blocks.next_block()? {
        if let Some(header) = Header::take_from(label, &mut block)? {
            return Ok((header, block));
        }
    }
    Err(Error::File(format!("{label:?} is empty; expected a header and rows")))
}

fn opening(row: &Row) -> std::result::Result<(String, HoursRow), Reject> {
    let id = row.read(0, fields::store_id)?;
    let weekday = row.read(1, fields::weekday)?;
    let start_s = row.read(2, fields::start_time)?;
    let end_s = row.read(3, fields::end_time)?;
    let opening = HoursRow::new(weekday, start_s, end_s);
    let opening = opening.ok_or_else(|| row.reject("", "has invalid business hours".into()))?;
    Ok((id.to_owned(), opening))
}

fn time_zone(row: &Row, rules: &ZoneRules) -> std::result::Result<(String, Zone), Reject> {
    let id = row.read(0, fields::store_id)?;
    Ok((id.to_owned(), row.read(1, |field| fields::time_zone(field, rules))?))
}

/// File whose header has been read.
struct Reading<'a> {
    label: &'a str,
    header: &'a Header,
    first: Option<Block>,
    blocks: Blocks<'a>,
    context: ReadContext<'a>,
}

impl Reading<'_> {
    /// Next block; `None` at the end of the file, an error if the load was cancelled.
    fn next_block(&mut self) -> Result<Option<Block>> {
        self.context.control.check()?;
        match self.first.take() {
            Some(block) => Ok(Some(block)),
            None => self.blocks.next_block(),
        }
    }

    /// Parses all rows; returns their number and the valid ones in file order.
    fn rows<T: Send>(
        &mut self,
        rejects: &mut Vec<Reject>,
        read: impl Fn(&Row) -> std::result::Result<T, Reject> + Sync,
    ) -> Result<(u64, Vec<T>)> {
        let (label, header) = (self.label, self.header);
        let workers = self.in_parallel(|worker: &mut Worker<Vec<(u64, Vec<T>)>>, block| {
            let mut valid = Vec::new();
            let take = |row: &Row| -> std::result::Result<(), Reject> {
                valid.push(read(row)?);
                Ok(())
            };
            worker.rows += each_row(label, header, block, &mut worker.rejects, take);
            worker.valid.push((block.line, valid));
            Ok(())
        })?;
        let (rows, mut valid) = merge_workers(workers, rejects);
        valid.sort_unstable_by_key(|(line, _)| *line);
        check_rejects(label, rejects.len())?;
        Ok((rows, valid.into_iter().flat_map(|(_, rows)| rows).collect()))
    }

    /// Parses polls; each worker fills its own batch, so that none waits for another.
    fn polls(&mut self, rejects: &mut Vec<Reject>) -> Result<(u64, Vec<PollBatch>)> {
        let (label, header, context) = (self.label, self.header, self.context);
        let workers = self.in_parallel(|worker: &mut Worker<PollBatch>, block| {
            let take = |row: &Row| worker.valid.take(row, context.latest_at);
            worker.rows += each_row(label, header, block, &mut worker.rejects, take);
            worker.valid.spill_if_large(context.spill)
        })?;
        let workers = workers.into_iter().map(Worker::listed).collect();
        let merged = merge_workers(workers, rejects);
        check_rejects(label, rejects.len())?;
        Ok(merged)
    }

    /// Passes the blocks to one worker per core, each with its own state.
    fn in_parallel<S: Default + Send>(
        &mut self,
        take: impl Fn(&mut Worker<S>, &Block) -> Result<()> + Sync,
    ) -> Result<Vec<Worker<S>>> {
        let label = self.label;
        let workers = available_parallelism().map_or(1, usize::from);
        let (send, receive) = bounded::<Block>(workers);
        let work = |blocks: Receiver<Block>| -> Result<Worker<S>> {
            let mut worker = Worker::default();
            for block in blocks {
                take(&mut worker, &block)?;
                if worker.rejects.len() > REJECTS_MAX {
                    break;
                }
            }
            Ok(worker)
        };
        let work = &work;
        scope(|scope| {
            let receivers = (0..workers).map(|_| receive.clone());
            let threads: Vec<_> =
                receivers.map(|blocks| scope.spawn(move || work(blocks))).collect();
            // The threads alone receive: if all have ended, so does sending.
            drop(receive);
            let sent = self.send_blocks(&send);
            drop(send);
            let failed = |_| Error::bug(format!("reading {label:?} failed"));
            let joined = threads.into_iter().map(|thread| thread.join().map_err(failed)?);
            let workers = joined.collect::<Result<Vec<_>>>()?;
            sent.map(|()| workers)
        })
    }

    fn send_blocks(&mut self, send: &Sender<Block>) -> Result<()> {
        while let Some(block) = self.next_block()? {
            if send.send(block).is_err() {
                // Each thread has met a failure or too many rejects, which it returns.
                break;
            }
        }
        Ok(())
    }
}

/// Result of one thread.
#[derive(Default)]
struct Worker<S> {
    rows: u64,
    valid: S,
    rejects: Vec<Reject>,
}

impl<S> Worker<S> {
    fn listed(self) -> Worker<Vec<S>> {
        Worker { rows: self.rows, valid: vec![self.valid], rejects: self.rejects }
    }
}

/// Combines the results of the workers: the number of rows and the valid ones.
fn merge_workers<S>(workers: Vec<Worker<Vec<S>>>, rejects: &mut Vec<Reject>) -> (u64, Vec<S>) {
    let (mut rows, mut valid) = (0, Vec::new());
    for worker in workers {
        rows += worker.rows;
        valid.extend(worker.valid);
        rejects.extend(worker.rejects);
    }
    (rows, valid)
}

fn check_rejects(label: &str, rejects: usize) -> Result<()> {
    match rejects > REJECTS_MAX {
        true => Err(Error::File(format!(
            "{label:?}: more than {REJECTS_MAX} rows break a rule; \
             check that it is the right file"
        ))),
        false => Ok(()),
    }
}
