//! Values bound to a statement: untrusted Arrow IPC, validated before it is decoded.
//!
//! The reader of `arrow-ipc` 59 trusts message metadata. [`ValuesReader`] rejects every claim by
//! which that reader would over-allocate, copy repeatedly or panic:
//!
//! | claim | effect in the reader | rule here |
//! |---|---|---|
//! | metadata tables and strings referred to repeatedly | copied each time | [`METADATA`] |
//! | number of fields, nesting | allocates, recurses | [`FIELDS_MAX`], `TYPE_DEPTH_MAX` |
//! | widths, units, precisions, children | panics (`convert`) | unknown types rejected |
//! | dictionaries, unions, maps, run-end encoding, list views | panics, expands | rejected |
//! | views within lists | each may refer to all bytes | rejected |
//! | compression | allocates the claimed length; `lz4` more | rejected |
//! | offset and length of a buffer | panics (`slice_with_length`) | within the body |
//! | overlapping buffers | unaligned ones are copied | together at most the body |
//! | length and null count of a node | panics (`BooleanBuffer::new`) | nulls fit the validity |
//! | nodes without bytes: nulls, empty structs | casts allocate | `ELEMENTS_MAX` in total |
//! | variadic buffer counts | overflows, panics | one per view, matching the buffers |
//! | number of rows | – | at most one |
//!
//! The reader itself returns errors for offsets within a buffer, invalid UTF-8 and wrong null
//! counts. `bodyLength` is ignored, because Flight transfers the body separately.

mod layout;
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
use super::super::queries::{not_one_row, wrong_values};
use crate::error::{Error, Limit, Result};

/// Limit of metadata and bodies of all messages that bind one row; the default HTTP body limit.
const VALUES_BYTES_MAX: usize = 1 << 20;
const MESSAGES_MAX: usize = 64;

/// Limits on the metadata of one message.
const METADATA: VerifierOptions = VerifierOptions {
    max_depth: 32,
    max_tables: 8 * FIELDS_MAX,
    max_apparent_size: 4 * VALUES_BYTES_MAX,
    ignore_missing_null_terminator: false,
};

/// Reads the single row of values from the messages of a `DoPut`.
#[derive(Default)]
pub struct ValuesReader {
    bytes: usize,
    messages: usize,
    schema: Option<SchemaRef>,
    values: Option<RecordBatch>,
}

impl ValuesReader {
    /// Reads the next message of the stream.
    ///
    /// # Errors
    /// When a limit is exceeded, there is more than one row, or a message is invalid.
    pub fn take(&mut self, message: &FlightData) -> Result<()> {
        self.messages += 1;
        self.bytes += message.data_header.len() + message.data_body.len();
        if self.bytes > VALUES_BYTES_MAX || self.messages > MESSAGES_MAX {
            return Err(Error::limit(
                Limit::Values,
                format!(
                    "the values of a statement take more than {} KiB or {MESSAGES_MAX} messages; \
                 bind shorter ones",
                    VALUES_BYTES_MAX >> 10
                ),
            ));
        }
        // Carries only stream information, such as the descriptor.
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

    /// Returns the row; an empty batch if the client sent no row.
    ///
    /// # Errors
    /// When no record batch was received.
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
        // Copied for alignment.
        let body = Buffer::from(body);
        let no_dictionaries = HashMap::new();
        let values =
            ipc::reader::read_record_batch(&body, batch, schema, &no_dictionaries, None, &version);
        self.values = Some(values.map_err(|error| refused(&error.to_string()))?);
        Ok(())
    }
}

fn refused(reason: &str) -> Error {
    wrong_values(format!("the values cannot be bound: {reason}"))
}

#[cfg(test)]
mod tests;
