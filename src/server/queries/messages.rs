//! Messages between the server and a worker, in frames.

use std::io::Cursor;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use crate::error::Result;

/// Encodes a schema as an Arrow IPC stream without batches.
///
/// # Errors
/// If Arrow IPC does not support one of its types.
pub fn schema_to_ipc(schema: &Schema) -> Result<Vec<u8>> {
    Ok(StreamWriter::try_new(Vec::new(), schema)?.into_inner()?)
}

/// Decodes a stream from [`schema_to_ipc`].
///
/// # Errors
/// If the bytes are not such a stream.
pub fn read_schema(bytes: &[u8]) -> std::result::Result<SchemaRef, ArrowError> {
    Ok(StreamReader::try_new(Cursor::new(bytes), None)?.schema())
}

/// Kinds of frames, and the messages that only the two ends of a socket share.
pub mod wire {
    use std::io;
    use std::time::Duration;

    use serde::{Deserialize, Serialize};

    use super::super::Described;
    use super::*;
    use crate::limits::{Limits, SettingNames};
    use crate::server::settings::SQL_FLAGS;
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
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field};

    use super::super::Described;
    use super::*;

    #[test]
    fn a_description_survives_its_message() {
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
