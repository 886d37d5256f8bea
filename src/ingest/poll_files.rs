//! Files of polls: reads a partition into memory, and writes partitions on threads of their own.

use std::path::Path;
use std::sync::Arc;
use std::thread::{available_parallelism, scope};

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Int32Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::TimestampMicrosecondType;
use crossbeam_channel::{Receiver, bounded};

use super::store_index::StoreIndex;
use crate::error::{Error, Result};
use crate::rules::Poll;
use crate::tables::{NewFile, Table, TableFile, read_all, write_sorted};

/// Polls with store numbers, sorted by number and instant.
pub type NumberedPolls = Vec<(u32, Poll)>;

/// Rows of a file to be written.
pub struct Partition {
    pub table: Table,
    pub day: i64,
    pub polls: NumberedPolls,
}

/// Reads the polls of a file.
///
/// # Errors
/// The file cannot be read, or contains a store that `ids` does not.
pub fn read_polls(file: &TableFile, ids: &StoreIndex) -> Result<NumberedPolls> {
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

/// Runs `work` with a function that queues partitions for writing. Returns the files.
pub fn with_writers(
    folder: &Path,
    ids: &StoreIndex,
    work: impl FnOnce(&mut dyn FnMut(Partition) -> Result<()>) -> Result<()>,
) -> Result<Vec<NewFile>> {
    let (send, receive) = bounded::<Partition>(1);
    let write = |partitions: Receiver<Partition>| -> Result<Vec<NewFile>> {
        partitions.iter().map(|partition| write_polls(folder, ids, &partition)).collect()
    };
    let write = &write;
    scope(|scope| {
        let writers = available_parallelism().map_or(1, usize::from);
        let receivers = (0..writers).map(|_| receive.clone());
        let threads: Vec<_> =
            receivers.map(|partitions| scope.spawn(move || write(partitions))).collect();
        // The threads alone receive: if all have failed, so does sending.
        drop(receive);
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

fn write_polls(folder: &Path, ids: &StoreIndex, partition: &Partition) -> Result<NewFile> {
    const ROWS_AT_ONCE: usize = 1 << 16;
    let batches = partition.polls.chunks(ROWS_AT_ONCE).map(|polls| batch(ids, polls));
    let mut file = write_sorted(folder, partition.table, Some(partition.day), batches)?;
    file.stats = bounds(ids, &partition.polls);
    Ok(file)
}

fn batch(ids: &StoreIndex, polls: &[(u32, Poll)]) -> Result<RecordBatch> {
    let instants = polls.iter().map(|(_, poll)| poll.polled_at()).collect::<Vec<_>>();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(polls.iter().map(|&(number, _)| Some(ids.id(number))).collect::<StringArray>()),
        Arc::new(polls.iter().map(|&(number, _)| ids.store_no(number)).collect::<Int32Array>()),
        Arc::new(TimestampMicrosecondArray::from(instants).with_timezone("UTC")),
        Arc::new(polls.iter().map(|(_, poll)| Some(poll.active())).collect::<BooleanArray>()),
    ];
    Ok(RecordBatch::try_new(Table::Polls.file_schema(), columns)?)
}

/// Smallest and largest store and instant, as statistics of a Delta log.
fn bounds(ids: &StoreIndex, polls: &[(u32, Poll)]) -> Option<serde_json::Value> {
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
