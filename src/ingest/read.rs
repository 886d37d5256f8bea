//! Reads files into checked rows: one thread decompresses and cuts, the others split and check.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{available_parallelism, scope};

use super::blocks::{Block, Blocks};
use super::fields;
use super::header::{Header, Kind};
use super::polls::{PollBatch, read_poll};
use super::rejects::Reject;
use super::rows::{Row, each_row};
use super::source::Source;
use super::spill::Spill;
use super::store_search::StoreSearch;
use crate::error::{Error, Result};
use crate::rules::{Opening, Zone, ZoneRules};

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
    pub source: Source,
    pub label: String,
    /// BLAKE3 of the decompressed content, in hexadecimal.
    pub content_hash: String,
    pub rows: u64,
    pub content: Content,
    /// In order of lines.
    pub rejects: Vec<Reject>,
}

impl ReadFile {
    /// None of hours and zones.
    pub fn poll_batches(&mut self) -> &mut [PollBatch] {
        match &mut self.content {
            Content::Polls(batches) => batches,
            Content::BusinessHours(_) | Content::TimeZones(_) => &mut [],
        }
    }
}

pub enum Content {
    Polls(Vec<PollBatch>),
    BusinessHours(Vec<(String, Opening)>),
    /// In the order of the file: of several rows of one store, the last one wins.
    TimeZones(Vec<(String, Zone)>),
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

/// What reading needs beside the file.
#[derive(Clone, Copy)]
pub struct Intake<'a> {
    /// Polls later than this are rejected.
    pub latest_at: i64,
    /// Zones that they do not know are rejected.
    pub zone_rules: &'a ZoneRules,
    pub spill: &'a Spill,
    pub watch: &'a Watch<'a>,
}

/// Reads one file.
///
/// # Errors
/// Where the file cannot be read or decompressed, is empty or has no header that is known.
pub fn read_file(source: Source, intake: Intake) -> Result<ReadFile> {
    let label = source.label();
    let mut blocks = Blocks::new(label.clone(), source.open(intake.watch.read)?);
    let (header, first) = header(&label, &mut blocks)?;
    let mut file = Reading { label: &label, header: &header, first: Some(first), blocks, intake };
    let mut rejects = Vec::new();
    let (rows, content) = match header.kind {
        Kind::Polls => {
            let (rows, batches) = file.polls(&mut rejects)?;
            (rows, Content::Polls(batches))
        }
        Kind::BusinessHours => {
            let (rows, hours) = file.rows(&mut rejects, opening)?;
            (rows, Content::BusinessHours(hours))
        }
        Kind::TimeZones => {
            let (rows, zones) = file.rows(&mut rejects, |row| time_zone(row, intake.zone_rules))?;
            (rows, Content::TimeZones(zones))
        }
    };
    if rows == 0 && header.kind != Kind::Polls {
        // Taken at its word it would leave every store without hours or a zone.
        return Err(Error::File(format!("{label:?} has a header and no rows; expected rows")));
    }
    rejects.sort_unstable();
    let content_hash = file.blocks.content_hash();
    drop(file);
    Ok(ReadFile { source, content_hash, label, rows, content, rejects })
}

/// Reads a file of polls that was read before: `see` hears of each sound poll of the stores, as store,
/// instant, status and line, in no order. Returns the hash of the content.
///
/// # Errors
/// As [`read_file`].
pub fn polls_again(
    source: &Source,
    intake: Intake,
    stores: &StoreSearch,
    see: impl Fn(&str, i64, bool, u64) + Sync,
) -> Result<String> {
    let label = source.label();
    let mut blocks = Blocks::new(label.clone(), source.open(intake.watch.read)?);
    let (header, first) = header(&label, &mut blocks)?;
    let mut file = Reading { label: &label, header: &header, first: Some(first), blocks, intake };
    let read = |row: &Row| -> std::result::Result<(), Reject> {
        if stores.contains(row.read(0, fields::store_id)?) {
            let (id, polled_at, active) = read_poll(row, intake.latest_at)?;
            see(id, polled_at, active, row.line());
        }
        Ok(())
    };
    file.in_parallel(|_: &mut Worker<()>, block| {
        stores.each_part(block, |part| {
            // Rejects were listed when the file was read first.
            each_row(&label, &header, part, &mut Vec::new(), read);
        });
        Ok(())
    })?;
    Ok(file.blocks.content_hash())
}

/// The header, and what is left of the block that it was in.
fn header(label: &str, blocks: &mut Blocks) -> Result<(Header, Block)> {
    while let Some(mut block) = blocks.next_block()? {
        if let Some(header) = Header::take_from(label, &mut block)? {
            return Ok((header, block));
        }
    }
    Err(Error::File(format!("{label:?} is empty; expected a header and rows")))
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

fn time_zone(row: &Row, rules: &ZoneRules) -> std::result::Result<(String, Zone), Reject> {
    let id = row.read(0, fields::store_id)?;
    Ok((id.to_owned(), row.read(1, |field| fields::time_zone(field, rules))?))
}

/// A file whose header is known, block by block.
struct Reading<'a> {
    label: &'a str,
    header: &'a Header,
    first: Option<Block>,
    blocks: Blocks<'a>,
    intake: Intake<'a>,
}

impl Reading<'_> {
    /// `None` at the end of the file, or an error where somebody asked to stop.
    fn next_block(&mut self) -> Result<Option<Block>> {
        self.intake.watch.check()?;
        match self.first.take() {
            Some(block) => Ok(Some(block)),
            None => self.blocks.next_block(),
        }
    }

    /// Reads each row; returns how many there were, and those that are sound, in their order.
    fn rows<T: Send>(
        &mut self,
        rejects: &mut Vec<Reject>,
        read: impl Fn(&Row) -> std::result::Result<T, Reject> + Sync,
    ) -> Result<(u64, Vec<T>)> {
        let (label, header) = (self.label, self.header);
        let workers = self.in_parallel(|worker: &mut Worker<Vec<(u64, Vec<T>)>>, block| {
            let mut sound = Vec::new();
            let take = |row: &Row| -> std::result::Result<(), Reject> {
                sound.push(read(row)?);
                Ok(())
            };
            worker.rows += each_row(label, header, block, &mut worker.rejects, take);
            worker.sound.push((block.line, sound));
            Ok(())
        })?;
        let (rows, mut sound) = gathered(workers, rejects);
        sound.sort_unstable_by_key(|(line, _)| *line);
        check_rejects(label, rejects.len())?;
        Ok((rows, sound.into_iter().flat_map(|(_, rows)| rows).collect()))
    }

    /// Each worker fills a batch of its own, so that none waits for another.
    fn polls(&mut self, rejects: &mut Vec<Reject>) -> Result<(u64, Vec<PollBatch>)> {
        let (label, header, intake) = (self.label, self.header, self.intake);
        let workers = self.in_parallel(|worker: &mut Worker<PollBatch>, block| {
            let take = |row: &Row| worker.sound.take(row, intake.latest_at);
            worker.rows += each_row(label, header, block, &mut worker.rejects, take);
            worker.sound.make_room(intake.spill)
        })?;
        let workers = workers.into_iter().map(Worker::listed).collect();
        let gathered = gathered(workers, rejects);
        check_rejects(label, rejects.len())?;
        Ok(gathered)
    }

    /// Reads the blocks on as many threads as there are cores, each of which has a state of its own.
    fn in_parallel<S: Default + Send>(
        &mut self,
        take: impl Fn(&mut Worker<S>, &Block) -> Result<()> + Sync,
    ) -> Result<Vec<Worker<S>>> {
        let label = self.label;
        let workers = available_parallelism().map_or(1, usize::from);
        let (send, receive) = sync_channel::<Block>(workers);
        let receive = Mutex::new(receive);
        let work = || -> Result<Worker<S>> {
            let (mut worker, mut taken) = (Worker::default(), Ok(()));
            while let Some(block) = next_of(&receive) {
                // Where the load is lost, the rest of the blocks still has to go somewhere.
                if taken.is_ok() && worker.rejects.len() <= REJECTS_MAX {
                    taken = take(&mut worker, &block);
                }
            }
            taken.map(|()| worker)
        };
        scope(|scope| {
            let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            let sent = self.send_blocks(&send);
            drop(send);
            let failed = |_| Error::bug(format!("reading {label:?} failed"));
            let joined = threads.into_iter().map(|thread| thread.join().map_err(failed)?);
            let workers = joined.collect::<Result<Vec<_>>>()?;
            sent.map(|()| workers)
        })
    }

    fn send_blocks(&mut self, send: &SyncSender<Block>) -> Result<()> {
        while let Some(block) = self.next_block()? {
            send.send(block).map_err(|_| Error::bug("the threads that read rows are gone"))?;
        }
        Ok(())
    }
}

/// What one thread made of the blocks that came to it.
#[derive(Default)]
struct Worker<S> {
    rows: u64,
    sound: S,
    rejects: Vec<Reject>,
}

impl<S> Worker<S> {
    fn listed(self) -> Worker<Vec<S>> {
        Worker { rows: self.rows, sound: vec![self.sound], rejects: self.rejects }
    }
}

/// How many rows the workers read, and what they found sound.
fn gathered<S>(workers: Vec<Worker<Vec<S>>>, rejects: &mut Vec<Reject>) -> (u64, Vec<S>) {
    let (mut rows, mut sound) = (0, Vec::new());
    for worker in workers {
        rows += worker.rows;
        sound.extend(worker.sound);
        rejects.extend(worker.rejects);
    }
    (rows, sound)
}

fn next_of(blocks: &Mutex<Receiver<Block>>) -> Option<Block> {
    blocks.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn check_rejects(label: &str, rejects: usize) -> Result<()> {
    match rejects > REJECTS_MAX {
        true => Err(Error::File(format!(
            "{label:?}: more than {REJECTS_MAX} rows break a rule; \
             expected a file of another kind of rows"
        ))),
        false => Ok(()),
    }
}
