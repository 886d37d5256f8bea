use std::sync::Mutex;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::Int64Type;
use futures::{FutureExt, StreamExt};
use tempfile::TempDir;
use tokio::task::yield_now;

use super::*;
use crate::error::Limit;

/// Rows per batch, about 8 KiB.
const ROWS: i64 = 1000;
const MANY: i64 = 100;
const KIB: usize = 1 << 10;

fn batch(number: i64) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values((0..ROWS).map(|_| number)));
    RecordBatch::try_from_iter([("number", column)]).unwrap()
}

fn number_of(batch: &RecordBatch) -> i64 {
    assert_eq!(batch.num_rows() as i64, ROWS);
    batch.column(0).as_primitive::<Int64Type>().value(0)
}

/// Budgets for all results; each result may take half of the memory.
fn spools(folder: &TempDir, memory_kib: usize, disk_kib: usize) -> Spools {
    let spools = Spools::within(disk_kib * KIB, memory_kib / 2 * KIB, memory_kib * KIB);
    spools.in_folder(folder.path())
}

/// Reads to the end: batch numbers and final error.
async fn read(reader: &mut Reader) -> (Vec<i64>, Option<Error>) {
    let mut numbers = Vec::new();
    while let Some(next) = reader.next().await {
        match next {
            Ok(batch) => numbers.push(number_of(&batch)),
            Err(error) => return (numbers, Some(error)),
        }
    }
    (numbers, None)
}

#[track_caller]
fn check_all(read: (Vec<i64>, Option<Error>)) {
    assert!(read.1.is_none(), "{:?}", read.1);
    assert_eq!(read.0, (0..MANY).collect::<Vec<_>>());
}

/// Sends all batches from a task, as a query does.
fn sent(mut writer: Writer) -> JoinHandle<std::result::Result<(), Closed>> {
    tokio::spawn(async move {
        for number in 0..MANY {
            writer.send(batch(number)).await?;
        }
        writer.end(Ok(()));
        Ok::<(), Closed>(())
    })
}

/// Waits until the writer holds a batch without a reservation.
async fn is_full(queue: &Queue) {
    while queue.state().offered.is_none() {
        yield_now().await;
    }
}

/// Numbers of batches in memory and on disk.
fn kept(queue: &Queue) -> (usize, usize) {
    let state = queue.state();
    let held = state.batches.iter().filter(|entry| matches!(entry, Entry::Held { .. })).count();
    (held, state.batches.len() - held)
}

#[track_caller]
fn check_free(spools: &Spools, memory_kib: usize, disk_kib: usize) {
    for (total, kib) in [(&spools.memory, memory_kib), (&spools.disk, disk_kib)] {
        assert!(kib == 0 || total.budget(kib * KIB).try_take(kib * KIB).is_some(), "{kib}");
    }
}

#[tokio::test]
async fn a_batch_in_memory_is_handed_on_as_it_is() {
    let folder = TempDir::new().unwrap();
    let (mut writer, mut reader) = spools(&folder, 64, 0).open(0);
    let sent = batch(5);
    writer.send(sent.clone()).now_or_never().unwrap().unwrap();
    let read = reader.next().now_or_never().unwrap().unwrap().unwrap();
    assert!(Arc::ptr_eq(read.column(0), sent.column(0)));
}

#[tokio::test]
async fn a_result_larger_than_memory_comes_back_whole_and_in_order() {
    let folder = TempDir::new().unwrap();
    let spools = spools(&folder, 64, 2 * KIB);
    let (writer, mut reader) = spools.open(2 * KIB * KIB);
    // The writer ends without a reader.
    sent(writer).await.unwrap().unwrap();
    let (held, filed) = kept(&reader.queue);
    assert!(held > 0 && filed > 0 && held + filed == MANY as usize, "{held} {filed}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    check_all(read(&mut reader).await);
    check_free(&spools, 64, 2 * KIB);
}

#[tokio::test]
async fn memory_that_was_read_is_used_again_before_the_disk() {
    let folder = TempDir::new().unwrap();
    let (mut writer, mut reader) = spools(&folder, 64, 2 * KIB).open(2 * KIB * KIB);
    for number in 0..MANY {
        writer.send(batch(number)).await.unwrap();
        assert_eq!(kept(&reader.queue), (1, 0));
        assert_eq!(number_of(&reader.next().await.unwrap().unwrap()), number);
    }
}

#[tokio::test]
async fn a_writer_without_room_waits_for_its_reader_and_goes_on() {
    let folder = TempDir::new().unwrap();
    for (memory_kib, disk_kib) in [(0, 0), (64, 0), (0, 64), (64, 64)] {
        let spools = spools(&folder, memory_kib, disk_kib);
        let (writer, mut reader) = spools.open(disk_kib * KIB);
        let queue = Arc::clone(&reader.queue);
        let writing = sent(writer);
        is_full(&queue).await;
        assert!(!writing.is_finished());
        check_all(read(&mut reader).await);
        writing.await.unwrap().unwrap();
        check_free(&spools, memory_kib, disk_kib);
    }
}

#[tokio::test]
async fn results_share_the_room_of_all() {
    let folder = TempDir::new().unwrap();
    // Each result may take the whole disk budget.
    let spools = spools(&folder, 64, 128);
    let (first, mut first_rows) = spools.open(128 * KIB);
    let (first_queue, first) = (Arc::clone(&first_rows.queue), sent(first));
    is_full(&first_queue).await;
    let (second, mut second_rows) = spools.open(128 * KIB);
    let (second_queue, second) = (Arc::clone(&second_rows.queue), sent(second));
    is_full(&second_queue).await;
    assert_eq!(kept(&second_queue).1, 0);
    // Without any budget a reader still gets rows.
    let next = second_rows.next().await.unwrap().unwrap();
    assert_eq!(number_of(&next), 0);
    let next = first_rows.next().await.unwrap().unwrap();
    assert_eq!(number_of(&next), 0);
    drop(first_rows);
    assert_eq!(first.await.unwrap(), Err(Closed));
    let (rest, error) = read(&mut second_rows).await;
    assert!(error.is_none() && rest == (1..MANY).collect::<Vec<_>>(), "{rest:?} {error:?}");
    second.await.unwrap().unwrap();
    check_free(&spools, 64, 128);
}

#[tokio::test]
async fn an_error_comes_behind_the_rows_before_it() {
    let folder = TempDir::new().unwrap();
    for memory_kib in [64, 0] {
        let (mut writer, mut reader) = spools(&folder, memory_kib, KIB).open(KIB * KIB);
        for number in 0..3 {
            writer.send(batch(number)).await.unwrap();
        }
        writer.end(Err(Error::limit(Limit::RowSize, "too much")));
        let (numbers, error) = read(&mut reader).await;
        assert_eq!(numbers, [0, 1, 2]);
        assert!(matches!(error, Some(Error::Limit(_))), "{error:?}");
        assert!(reader.next().await.is_none());
    }
}

#[tokio::test]
async fn a_row_that_is_too_large_ends_the_result_with_its_limit() {
    let folder = TempDir::new().unwrap();
    let (mut writer, mut reader) = spools(&folder, 64, 0).with_row_limit(1 << 20).open(0);
    writer.send(batch(0)).await.unwrap();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(2 << 20)]));
    let large = RecordBatch::try_from_iter([("text", text)]).unwrap();
    assert_eq!(writer.send(large).await, Err(Closed));
    writer.end(Ok(()));
    let (numbers, error) = read(&mut reader).await;
    assert_eq!(numbers, [0]);
    assert!(matches!(error, Some(Error::Limit(_))), "{error:?}");
}

#[tokio::test]
async fn a_large_batch_is_read_in_parts_without_room_for_it_in_memory() {
    let folder = TempDir::new().unwrap();
    let (mut writer, mut reader) = spools(&folder, 4 * KIB, 64 * KIB).open(64 * KIB * KIB);
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_000_000));
    writer.send(RecordBatch::try_from_iter([("number", numbers)]).unwrap()).await.unwrap();
    writer.end(Ok(()));
    let (mut next, mut rows_max) = (0, 0);
    while let Some(part) = reader.next().await {
        let part = part.unwrap();
        let expected: ArrayRef =
            Arc::new(Int64Array::from_iter_values(next..next + part.num_rows() as i64));
        assert_eq!(part.column(0), &expected);
        (next, rows_max) = (next + part.num_rows() as i64, rows_max.max(part.num_rows()));
    }
    assert!(next == 1_000_000 && rows_max * 8 <= 1 << 20, "{next} {rows_max}");
}

#[tokio::test]
async fn a_part_of_the_rows_does_not_look_like_all_of_them() {
    let folder = TempDir::new().unwrap();
    let (mut writer, mut reader) = spools(&folder, 64, 0).open(0);
    writer.send(batch(0)).await.unwrap();
    drop(writer);
    let (numbers, error) = read(&mut reader).await;
    assert_eq!(numbers, [0]);
    assert!(matches!(error, Some(Error::Bug { .. })), "{error:?}");
}

#[tokio::test]
async fn a_reader_that_goes_frees_the_room_and_ends_the_writer() {
    let folder = TempDir::new().unwrap();
    for disk_kib in [0, 64] {
        let spools = spools(&folder, 64, disk_kib);
        let (writer, reader) = spools.open(disk_kib * KIB);
        let (queue, writing) = (Arc::clone(&reader.queue), sent(writer));
        is_full(&queue).await;
        drop(reader);
        assert_eq!(writing.await.unwrap(), Err(Closed));
        check_free(&spools, 64, disk_kib);
    }
}

#[tokio::test]
async fn where_all_was_read_there_is_nothing_to_discard() {
    let folder = TempDir::new().unwrap();
    let (mut writer, mut reader) = spools(&folder, 64, 0).open(0);
    writer.send(batch(0)).await.unwrap();
    writer.end(Ok(()));
    assert_eq!(number_of(&reader.next().await.unwrap().unwrap()), 0);
    reader.watch().discard(Error::limit(Limit::IdleTime, "too slow"));
    assert!(reader.next().await.is_none());
}

#[tokio::test]
async fn the_batch_that_a_reader_has_is_counted_until_it_asks_for_the_next() {
    let folder = TempDir::new().unwrap();
    let spools = spools(&folder, 64, 0);
    let (mut writer, mut reader) = spools.open(0);
    writer.send(batch(0)).await.unwrap();
    let _batch = reader.next().await.unwrap().unwrap();
    assert!(spools.memory.budget(64 * KIB).try_take(64 * KIB).is_none());
    assert!(reader.next().now_or_never().is_none());
    check_free(&spools, 64, 0);
}

#[tokio::test]
async fn what_is_discarded_is_free_and_an_error_in_its_place() {
    let folder = TempDir::new().unwrap();
    let spools = spools(&folder, 64, 2 * KIB);
    let (writer, mut reader) = spools.open(2 * KIB * KIB);
    sent(writer).await.unwrap().unwrap();
    reader.watch().discard(Error::limit(Limit::IdleTime, "too slow"));
    check_free(&spools, 64, 2 * KIB);
    let (numbers, error) = read(&mut reader).await;
    assert!(numbers.is_empty() && matches!(error, Some(Error::Limit(_))), "{error:?}");
}

#[tokio::test]
async fn a_disk_that_fails_is_done_without() {
    let folder = TempDir::new().unwrap();
    let spools = spools(&folder, 64, KIB).in_folder(&folder.path().join("gone"));
    let (writer, mut reader) = spools.open(KIB * KIB);
    let writing = sent(writer);
    is_full(&Arc::clone(&reader.queue)).await;
    check_all(read(&mut reader).await);
    writing.await.unwrap().unwrap();
    check_free(&spools, 64, KIB);
}

#[tokio::test]
async fn nothing_is_encoded_for_a_disk_that_is_full() {
    let folder = TempDir::new().unwrap();
    let spools = spools(&folder, 0, 64);
    let _all = spools.disk.budget(64 * KIB).try_take(64 * KIB).unwrap();
    let (mut writer, reader) = spools.open(64 * KIB);
    let mut sending = Box::pin(writer.send(batch(0)));
    // Encoding would yield to another thread.
    assert!(sending.as_mut().now_or_never().is_none());
    assert!(reader.queue.is_full());
}

/// Captured log output.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_disk_that_fails_is_told_once() {
    let log = Log::default();
    let written = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || log.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let folder = TempDir::new().unwrap();
    let gone = folder.path().join("gone");
    let spools = spools(&folder, 0, KIB).in_folder(&gone);
    for warnings in [1, 1, 1, 2] {
        if warnings == 2 {
            // Succeeds once, then fails anew.
            std::fs::create_dir(&gone).unwrap();
            let (mut writer, _reader) = spools.open(KIB * KIB);
            writer.send(batch(0)).await.unwrap();
            drop(writer);
            std::fs::remove_dir(&gone).unwrap();
        }
        let (writer, mut reader) = spools.open(KIB * KIB);
        let writing = sent(writer);
        check_all(read(&mut reader).await);
        writing.await.unwrap().unwrap();
        let written = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written.matches("without the disk").count(), warnings, "{written}");
    }
}

/// Counts deliveries forever.
async fn take_parts(deliveries: &Deliveries) {
    loop {
        deliveries.count();
        yield_now().await;
    }
}

#[tokio::test]
async fn a_client_is_idle_that_takes_nothing_of_what_is_there() {
    let folder = TempDir::new().unwrap();
    let (mut writer, mut reader) = spools(&folder, 64, 0).open(0);
    let watch = reader.watch();
    // A client that waits for rows is not idle.
    assert!(reader.next().now_or_never().is_none());
    let time = Duration::from_millis(20);
    let is_idle = tokio::time::timeout(time, watch.until_idle(Duration::ZERO));
    assert!(is_idle.await.is_err());
    // Neither is one that takes parts of a batch.
    writer.send(batch(0)).await.unwrap();
    let deliveries = reader.deliveries();
    let is_idle = async {
        tokio::select! {
            biased;
            () = take_parts(&deliveries) => {}
            () = watch.until_idle(Duration::ZERO) => {}
        }
    };
    assert!(tokio::time::timeout(time, is_idle).await.is_err());
    watch.until_idle(Duration::ZERO).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_client_is_not_idle_that_has_all_it_asked_for() {
    let folder = TempDir::new().unwrap();
    let (mut writer, reader) = spools(&folder, 64, 0).open(0);
    let (watch, deliveries) = (reader.watch(), reader.deliveries());
    writer.send(batch(0)).await.unwrap();
    deliveries.suspend();
    let time = Duration::from_millis(20);
    let is_idle = tokio::time::timeout(time, watch.until_idle(Duration::ZERO));
    assert!(is_idle.await.is_err());
    deliveries.resume();
    watch.until_idle(Duration::ZERO).await;
}
