//! Files of polls: one partition read into memory, or written by threads of their own.

use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{available_parallelism, scope};

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Int32Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::TimestampMicrosecondType;

use super::stores::Ids;
use crate::error::{Error, Result};
use crate::rules::Poll;
use crate::tables::{NewFile, Table, TableFile, read_all, write_sorted};

/// Polls with the numbers of their stores, in order of both.
pub type NumberedPolls = Vec<(u32, Poll)>;

/// Rows that are to become a partition's file.
pub struct Partition {
    pub table: Table,
    pub day: i64,
    pub polls: NumberedPolls,
}

/// The polls of a file.
///
/// # Errors
/// Where it cannot be read, or names a store that `stores` does not.
pub fn read_polls(file: &TableFile, ids: &Ids) -> Result<NumberedPolls> {
    let rows = read_all(Table::Polls, [file.path.as_path()])?;
    let stores = rows.column(0).as_string::<i32>();
    let instants = rows.column(2).as_primitive::<TimestampMicrosecondType>();
    let active = rows.column(3).as_boolean();
    let mut polls = Vec::with_capacity(rows.num_rows());
    let mut last: Option<(&str, u32)> = None;
    for row in 0..rows.num_rows() {
        let id = stores.value(row);
        let number = match last {
            Some((known, number)) if known == id => number,
            _ => ids
                .number(id)
                .ok_or_else(|| Error::bug(format!("store {id:?} is not in \"stores\"")))?,
        };
        last = Some((id, number));
        polls.push((number, Poll::new(instants.value(row), active.value(row))));
    }
    Ok(polls)
}

/// Runs `work` with a function that has partitions written meanwhile, and returns the files.
pub fn while_writing(
    folder: &Path,
    ids: &Ids,
    work: impl FnOnce(&mut dyn FnMut(Partition) -> Result<()>) -> Result<()>,
) -> Result<Vec<NewFile>> {
    let (send, receive) = sync_channel::<Partition>(1);
    let receive = Mutex::new(receive);
    let write = || -> Result<Vec<NewFile>> {
        let mut written = Ok(Vec::new());
        while let Some(partition) = next_of(&receive) {
            // After a failure the rest is taken in and dropped, so that nobody waits for room.
            if let Ok(files) = &mut written {
                match write_polls(folder, ids, &partition) {
                    Ok(file) => files.push(file),
                    Err(error) => written = Err(error),
                }
            }
        }
        written
    };
    scope(|scope| {
        let writers = available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..writers).map(|_| scope.spawn(write)).collect();
        let worked = work(&mut |partition| {
            send.send(partition).map_err(|_| Error::bug("the threads that write polls are gone"))
        });
        drop(send);
        let written = threads.into_iter().map(|thread| {
            thread.join().map_err(|_| Error::bug("writing polls failed")).and_then(|files| files)
        });
        let files = written.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        worked.map(|()| files)
    })
}

fn next_of(receive: &Mutex<Receiver<Partition>>) -> Option<Partition> {
    receive.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn write_polls(folder: &Path, ids: &Ids, partition: &Partition) -> Result<NewFile> {
    const ROWS_AT_ONCE: usize = 1 << 16;
    let batches = partition.polls.chunks(ROWS_AT_ONCE).map(|polls| batch(ids, polls));
    let mut file = write_sorted(folder, partition.table, Some(partition.day), batches)?;
    file.stats = bounds(ids, &partition.polls);
    Ok(file)
}

fn batch(ids: &Ids, polls: &[(u32, Poll)]) -> Result<RecordBatch> {
    let instants = polls.iter().map(|(_, poll)| poll.polled_at()).collect::<Vec<_>>();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(polls.iter().map(|&(number, _)| Some(ids.id(number))).collect::<StringArray>()),
        Arc::new(polls.iter().map(|&(number, _)| ids.store_no(number)).collect::<Int32Array>()),
        Arc::new(TimestampMicrosecondArray::from(instants).with_timezone("UTC")),
        Arc::new(polls.iter().map(|(_, poll)| Some(poll.active())).collect::<BooleanArray>()),
    ];
    Ok(RecordBatch::try_new(Table::Polls.file_schema(), columns)?)
}

/// Smallest and largest store and instant, as a Delta log spells them.
fn bounds(ids: &Ids, polls: &[(u32, Poll)]) -> Option<serde_json::Value> {
    let ((first, _), (last, _)) = (polls.first()?, polls.last()?);
    let instants = || polls.iter().map(|(_, poll)| poll.polled_at());
    let text = |instant: i64| {
        let instant = chrono::DateTime::from_timestamp_micros(instant)?;
        Some(instant.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
    };
    Some(serde_json::json!({
        "minValues": { "store_id": ids.id(*first), "polled_at": text(instants().min()?)? },
        "maxValues": { "store_id": ids.id(*last), "polled_at": text(instants().max()?)? },
    }))
}
