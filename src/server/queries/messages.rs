//! Messages between the server and a worker, in frames.

use std::io::Cursor;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::{StreamDecoder, StreamReader};
use arrow::ipc::writer::StreamWriter;

use crate::error::Result;

/// Encodes a batch as an Arrow IPC stream of its own.
///
/// # Errors
/// If Arrow IPC does not support one of its types.
pub fn batch_to_ipc(batch: &RecordBatch) -> Result<Vec<u8>> {
    let bytes = Vec::with_capacity(batch.get_array_memory_size().min(BATCH_BYTES) + (4 << 10));
    let mut writer = StreamWriter::try_new(bytes, &batch.schema())?;
    writer.write(batch)?;
    Ok(writer.into_inner()?)
}

/// Encodes a schema as an Arrow IPC stream without batches.
///
/// # Errors
/// If Arrow IPC does not support one of its types.
pub fn schema_to_ipc(schema: &Schema) -> Result<Vec<u8>> {
    Ok(StreamWriter::try_new(Vec::new(), schema)?.into_inner()?)
}

/// Decodes a stream from [`batch_to_ipc`]. The columns share the bytes.
///
/// # Errors
/// If the bytes are not such a stream.
pub fn read_batch(bytes: Vec<u8>) -> std::result::Result<RecordBatch, ArrowError> {
    let mut bytes = Buffer::from_vec(bytes);
    let batch = StreamDecoder::new().decode(&mut bytes)?;
    batch.ok_or_else(|| ArrowError::IpcError("a batch without rows or columns".into()))
}

/// Decodes the row that is bound to a statement, a stream from [`batch_to_ipc`].
///
/// # Errors
/// If the bytes are not such a stream.
pub fn read_row(bytes: &[u8]) -> Result<RecordBatch> {
    let mut batches = StreamReader::try_new(Cursor::new(bytes), None)?;
    let schema = batches.schema();
    Ok(batches.next().transpose()?.unwrap_or_else(|| RecordBatch::new_empty(schema)))
}

/// Decodes a stream from [`schema_to_ipc`].
///
/// # Errors
/// If the bytes are not such a stream.
pub fn read_schema(bytes: &[u8]) -> std::result::Result<SchemaRef, ArrowError> {
    Ok(StreamReader::try_new(Cursor::new(bytes), None)?.schema())
}

/// Size of an encoded batch, roughly.
const BATCH_BYTES: usize = 4 << 20;

/// Kinds of frames, and the messages that only the two ends of a socket share.
#[cfg(unix)]
pub mod wire {
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    use serde::{Deserialize, Serialize};

    use super::super::Described;
    use super::*;
    use crate::limits::{Limits, SettingNames};
    use crate::server::settings::SQL_FLAGS;
    use crate::sql::spool::{copied, has_views};
    use crate::workers::frames;

    /// Rows that a worker computes ahead of sending.
    const AHEAD_BYTES: usize = 8 << 20;
    const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

    /// Requests of the server; the first two are answered with the same kind.
    pub const SETUP: u8 = 1;
    pub const WARM: u8 = 2;
    pub const READ: u8 = 3;
    pub const DESCRIBE: u8 = 4;
    pub const RUN: u8 = 5;
    /// Responses of a worker.
    pub const STATEMENTS: u8 = 17;
    pub const DESCRIBED: u8 = 18;
    /// Followed by batches, and an end.
    pub const BEGUN: u8 = 19;
    pub const BATCH: u8 = 20;
    pub const ENDED: u8 = 21;
    pub const FAILED: u8 = 22;
    /// After the end of [`RUN`], and after [`FAILED`]: nothing of the query runs any more.
    pub const IDLE: u8 = 23;
    /// Requests of a worker while it works, answered with the same kind: the list of reports, and
    /// to check a report whose file looks broken.
    pub const REPORTS: u8 = 32;
    pub const BROKEN_REPORT: u8 = 33;

    /// [`SETUP`]
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Setup {
        pub time: Duration,
        pub rows: usize,
        pub memory_bytes: usize,
        /// Memory limit that the system enforces on a worker.
        pub data_bytes_max: usize,
    }

    impl Setup {
        pub fn limits(&self) -> Limits {
            Limits {
                time: self.time,
                rows: self.rows,
                memory_bytes: self.memory_bytes,
                row_bytes: Limits::default().row_bytes,
                // So that a query has ended, with all its threads, before the next one runs.
                at_once: 1,
                // The server receives all rows at once, and spools them for the client.
                spool_bytes: 0,
                spool_memory_bytes: AHEAD_BYTES,
                idle_time: FOR_EVER,
                settings: SettingNames { spool: "", ..SQL_FLAGS },
            }
        }
    }

    /// [`WARM`]: version of the data, and the SQL dialect.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Warm {
        pub version: u64,
        pub is_postgres: bool,
    }

    /// [`DESCRIBED`]: header, followed by the columns and then the parameters.
    #[derive(Debug, Serialize, Deserialize)]
    struct Header {
        columns_bytes: usize,
        sent_as: Vec<u32>,
        is_repeatable: bool,
    }

    impl Described {
        /// Header, and the bytes that follow it.
        pub fn message(&self) -> Result<(Vec<u8>, Vec<u8>)> {
            let mut behind = schema_to_ipc(&self.columns)?;
            let header = Header {
                columns_bytes: behind.len(),
                sent_as: self.sent_as.clone(),
                is_repeatable: self.is_repeatable,
            };
            behind.extend(schema_to_ipc(&self.parameters)?);
            let header = frames::header(&header).map_err(unencodable)?;
            Ok((header, behind))
        }

        pub fn from_message(payload: Vec<u8>) -> io::Result<Self> {
            let (header, behind): (Header, _) = frames::message(payload)?;
            let (columns, parameters) =
                behind.split_at_checked(header.columns_bytes).ok_or(io::ErrorKind::InvalidData)?;
            Ok(Self {
                columns: read_schema(columns).map_err(io::Error::other)?,
                parameters: read_schema(parameters).map_err(io::Error::other)?,
                sent_as: header.sent_as,
                is_repeatable: header.is_repeatable,
            })
        }
    }

    pub fn unencodable(error: io::Error) -> crate::Error {
        crate::Error::bug(format!("a message to a worker cannot be encoded: {error}"))
    }

    /// Copies the rows without unreferenced bytes: Arrow IPC writes all bytes of view buffers,
    /// including those that no row shows. The rows of a query come in small batches already.
    pub fn compact(batch: &RecordBatch) -> RecordBatch {
        let columns = batch.columns().iter().map(|column| {
            if has_views(&column.to_data()) { copied(column) } else { Ok(Arc::clone(column)) }
        });
        let columns = columns.collect::<Result<_>>();
        let compacted = columns.and_then(|it| Ok(RecordBatch::try_new(batch.schema(), it)?));
        // For instance a batch without columns, which has nothing to copy.
        compacted.unwrap_or_else(|_| batch.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        Array, ArrayRef, Int64Array, ListArray, NullArray, RecordBatchOptions, StringArray,
        StringViewArray, StructArray,
    };
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{DataType, Field};

    use super::*;

    fn batch_of(columns: &[(&str, ArrayRef)]) -> RecordBatch {
        let columns = columns.iter().map(|(name, column)| (*name, Arc::clone(column), true));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    fn column(array: impl Array + 'static) -> ArrayRef {
        Arc::new(array)
    }

    #[test]
    fn a_batch_crosses_as_it_is() {
        let rowless = RecordBatchOptions::new().with_row_count(Some(3));
        let without_columns =
            RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &rowless).unwrap();
        for sent in [
            batch_of(&[
                ("a", column(Int64Array::from(vec![Some(1), None, Some(3)]))),
                ("b", column(StringArray::from(vec![Some("x"), Some("é"), None]))),
            ])
            .slice(1, 2),
            batch_of(&[("n", column(NullArray::new(2)))]),
            batch_of(&[("v", column(StringViewArray::from(vec!["a", "longer than twelve"])))]),
            RecordBatch::new_empty(Arc::new(Schema::new(vec![Field::new(
                "a",
                DataType::Int32,
                false,
            )]))),
            without_columns,
        ] {
            assert_eq!(read_batch(batch_to_ipc(&sent).unwrap()).unwrap(), sent);
            assert_eq!(read_row(&batch_to_ipc(&sent).unwrap()).unwrap(), sent);
            assert_eq!(
                read_schema(&schema_to_ipc(&sent.schema()).unwrap()).unwrap(),
                sent.schema()
            );
        }
        assert!(read_batch(b"no batch".to_vec()).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn unreferenced_bytes_are_not_sent() {
        let texts =
            column(StringViewArray::from_iter_values((0..100).map(|_| "x".repeat(100_000))));
        let field = Arc::new(Field::new("text", DataType::Utf8View, true));
        let structs = column(StructArray::from(vec![(field, Arc::clone(&texts))]));
        let item = Arc::new(Field::new_list_field(structs.data_type().clone(), true));
        let lengths = OffsetBuffer::from_lengths([1; 100]);
        let lists = column(ListArray::new(item, lengths, Arc::clone(&structs), None));
        for column in [texts, structs, lists] {
            let row = batch_of(&[("a", column)]).slice(5, 1);
            let compact = wire::compact(&row);
            assert_eq!(compact, row);
            assert!(batch_to_ipc(&compact).unwrap().len() < 200_000, "{}", row.schema());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_description_survives_its_message() {
        use super::super::Described;
        let described = Described {
            columns: Arc::new(Schema::new(vec![Field::new("a", DataType::Utf8, true)])),
            parameters: Arc::new(Schema::new(vec![Field::new("$1", DataType::Null, true)])),
            sent_as: vec![25, 20],
            is_repeatable: true,
        };
        let (header, behind) = described.message().unwrap();
        assert_eq!(Described::from_message([header, behind].concat()).unwrap(), described);
    }
}
