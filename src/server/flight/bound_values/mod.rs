//! Values that a client binds to a statement: Arrow IPC of a stranger, checked before it is decoded.
//!
//! The reader of `arrow-ipc` 59 trusts the metadata of a message. [`ValuesReader`] refuses each claim
//! by which that reader allocates, copies or panics:
//!
//! | claim | the reader | the rule here |
//! |---|---|---|
//! | tables and strings of the metadata, each referred to many times | copies each reference | [`METADATA`] bounds the expanded size |
//! | number of fields, nesting | allocates, recurses | `types`: [`FIELDS_MAX`], `TYPE_DEPTH_MAX` |
//! | widths, units, precisions, numbers of children | panics (`convert`) | `types`: what has no type is refused |
//! | dictionaries, unions, maps, run-end encoding, list views | panics; one value stands for many | refused |
//! | views within lists | each may show all bytes | refused |
//! | compression, with the length of each buffer | allocates the length; `lz4` beyond it | refused |
//! | offset and length of a buffer | panics (`slice_with_length`) | within the body |
//! | buffers that overlap | copies each that is not aligned | together no longer than the body |
//! | length and null count of a node | panics (`BooleanBuffer::new`) | non-negative, nulls within the validity buffer |
//! | nodes without bytes: nulls, empty structs | casts allocate by length | `layout`: together `ELEMENTS_MAX` |
//! | counts of variadic buffers | overflows, panics (`buffers[1..]`, `assert!`) | one per view, as many as there are buffers |
//! | number of rows | – | at most one |
//!
//! What only makes the reader return an error is left to it: offsets within a buffer, UTF-8, null
//! counts that do not match. `bodyLength` is not read: a message of Flight brings its body apart.

mod layout;
#[cfg(test)]
mod tests;
mod types;

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::ipc;
use arrow_flight::FlightData;
use flatbuffers::VerifierOptions;

use self::layout::Layout;
use self::types::{FIELDS_MAX, check_field};
use super::super::questions::{not_one_row, of_values};
use crate::error::{Error, Result};

/// Metadata and bodies of all messages that bind values to one statement; as much as the body of a
/// request by HTTP may have.
const VALUES_BYTES_MAX: usize = 1 << 20;
const MESSAGES_MAX: usize = 64;

/// Of the metadata of one message.
const METADATA: VerifierOptions = VerifierOptions {
    max_depth: 32,
    max_tables: 8 * FIELDS_MAX,
    max_apparent_size: 4 * VALUES_BYTES_MAX,
    ignore_missing_null_terminator: false,
};

/// Collects the one row of values from the messages of a `DoPut`.
#[derive(Default)]
pub struct ValuesReader {
    bytes: usize,
    messages: usize,
    schema: Option<SchemaRef>,
    values: Option<RecordBatch>,
}

impl ValuesReader {
    /// Takes the next message of the stream.
    ///
    /// # Errors
    /// Where the messages grow too large, bring more than a row, or are not what they claim.
    pub fn take(&mut self, message: &FlightData) -> Result<()> {
        self.messages += 1;
        self.bytes += message.data_header.len() + message.data_body.len();
        if self.bytes > VALUES_BYTES_MAX || self.messages > MESSAGES_MAX {
            return Err(Error::Limit(format!(
                "the values of a statement take more than {} KiB or {MESSAGES_MAX} messages; \
                 bind shorter ones",
                VALUES_BYTES_MAX >> 10
            )));
        }
        // Tells something of the stream alone, as its descriptor.
        if message.data_header.is_empty() && message.data_body.is_empty() {
            return Ok(());
        }
        let metadata = ipc::root_as_message_with_opts(&METADATA, &message.data_header)
            .map_err(|_| refused("their metadata cannot be read"))?;
        match metadata.header_type() {
            ipc::MessageHeader::NONE => Ok(()),
            ipc::MessageHeader::Schema => self.take_schema(metadata),
            ipc::MessageHeader::RecordBatch => self.take_batch(metadata, &message.data_body),
            _ => Err(refused("they are neither a schema nor a record batch")),
        }
    }

    /// The row; without any where the client sent none.
    ///
    /// # Errors
    /// Where no record batch came.
    pub fn finish(self) -> Result<RecordBatch> {
        self.values.ok_or_else(|| refused("no record batch came"))
    }

    fn take_schema(&mut self, metadata: ipc::Message<'_>) -> Result<()> {
        if self.schema.is_some() {
            return Err(refused("they have two schemas"));
        }
        let schema = metadata.header_as_schema();
        let schema = schema.ok_or_else(|| refused("their schema is missing"))?;
        if schema.endianness() != ipc::Endianness::Little {
            return Err(refused("they are big-endian"));
        }
        let fields = schema.fields().ok_or_else(|| refused("their schema has no fields"))?;
        let mut left = FIELDS_MAX;
        for field in fields {
            check_field(field, &mut left)?;
        }
        self.schema = Some(ipc::convert::fb_to_schema(schema).into());
        Ok(())
    }

    fn take_batch(&mut self, metadata: ipc::Message<'_>, body: &[u8]) -> Result<()> {
        let schema = self.schema.clone();
        let schema = schema.ok_or_else(|| refused("a record batch comes before their schema"))?;
        let version = metadata.version();
        if ![ipc::MetadataVersion::V4, ipc::MetadataVersion::V5].contains(&version) {
            return Err(refused("their version of IPC is not 4 or 5"));
        }
        let batch = metadata.header_as_record_batch();
        let batch = batch.ok_or_else(|| refused("their record batch is missing"))?;
        if batch.compression().is_some() {
            return Err(refused("they are compressed; send them uncompressed"));
        }
        let rows = Layout::read(batch, body.len()).and_then(|layout| layout.rows(batch, &schema));
        let rows = rows.ok_or_else(|| refused("the lengths they claim contradict their bytes"))?;
        let bound = self.values.as_ref().map_or(0, RecordBatch::num_rows);
        if bound + rows > 1 {
            return Err(not_one_row(bound + rows));
        }
        if self.values.is_some() && rows == 0 {
            return Ok(());
        }
        // Copied, so that it is aligned.
        let body = Buffer::from(body);
        let no_dictionaries = HashMap::new();
        let values =
            ipc::reader::read_record_batch(&body, batch, schema, &no_dictionaries, None, &version);
        self.values = Some(values.map_err(|error| refused(&error.to_string()))?);
        Ok(())
    }
}

fn refused(reason: &str) -> Error {
    of_values(format!("the values cannot be bound: {reason}"))
}
