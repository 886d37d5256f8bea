//! Writer: encodes rows of any schema, batch by batch.
//!
//! Bytes can be taken as soon as they are ready. Only [`Format::Table`] keeps all rows in memory,
//! since its column widths depend on all of them.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::{FileWriter, StreamWriter};
use arrow::json::writer::{JsonArray, LineDelimited, WriterBuilder as JsonBuilder};
use arrow::util::pretty::pretty_format_batches_with_schema;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::format::Format;
use super::text_encoding::{csv_header_into, csv_into, markdown_header_into, markdown_into};
use crate::error::{Error, Fault, Limit, QueryError, Result};

/// Name of a truncation note, in formats with names.
const TRUNCATION_KEY: &str = "uptally_cut";
/// Limits of a row group, which is in memory until it is complete.
const ROW_GROUP_ROWS_MAX: usize = 128 << 10;
const ROW_GROUP_BYTES_MAX: usize = 4 << 20;

pub struct Writer(Encoder);

type Json<F> = arrow::json::Writer<Vec<u8>, F>;

enum Encoder {
    Csv(Vec<u8>),
    Markdown(Vec<u8>),
    Json(Box<Json<JsonArray>>),
    Ndjson(Box<Json<LineDelimited>>),
    Parquet(Box<ArrowWriter<Vec<u8>>>),
    Arrow(Box<FileWriter<Vec<u8>>>),
    ArrowStream(Box<StreamWriter<Vec<u8>>>),
    Table { schema: SchemaRef, rows: Vec<RecordBatch>, note: String, ready: Vec<u8> },
}

impl Writer {
    /// # Errors
    /// The format does not support the types of the columns.
    pub fn new(format: Format, schema: &SchemaRef) -> Result<Self> {
        let json = || JsonBuilder::new().with_explicit_nulls(true);
        Ok(Self(match format {
            Format::Csv => {
                let mut ready = Vec::new();
                csv_header_into(schema, &mut ready);
                Encoder::Csv(ready)
            }
            Format::Markdown => {
                let mut ready = Vec::new();
                markdown_header_into(schema, &mut ready);
                Encoder::Markdown(ready)
            }
            Format::Json => Encoder::Json(Box::new(json().build(Vec::new()))),
            Format::Ndjson => Encoder::Ndjson(Box::new(json().build(Vec::new()))),
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
                    .set_key_value_metadata(Some(key_value_metadata(schema)))
                    .build();
                let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties));
                Encoder::Parquet(Box::new(writer.map_err(unsupported)?))
            }
            Format::Arrow => Encoder::Arrow(Box::new(
                FileWriter::try_new(Vec::new(), schema).map_err(unsupported)?,
            )),
            Format::ArrowStream => {
                let writer = StreamWriter::try_new(Vec::new(), schema).map_err(unsupported)?;
                Encoder::ArrowStream(Box::new(writer))
            }
            Format::Table => Encoder::Table {
                schema: Arc::clone(schema),
                rows: Vec::new(),
                note: String::new(),
                ready: Vec::new(),
            },
        }))
    }

    /// # Errors
    /// The format does not support the types of the columns.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        match &mut self.0 {
            Encoder::Csv(ready) => csv_into(rows, ready).map_err(unsupported),
            Encoder::Markdown(ready) => markdown_into(rows, ready).map_err(unsupported),
            Encoder::Json(writer) => writer.write(rows).map_err(unsupported),
            Encoder::Ndjson(writer) => writer.write(rows).map_err(unsupported),
            Encoder::Parquet(writer) => {
                writer.write(rows).map_err(unsupported)?;
                let is_full = writer.memory_size() > ROW_GROUP_BYTES_MAX;
                if is_full { writer.flush().map_err(unsupported) } else { Ok(()) }
            }
            Encoder::Arrow(writer) => writer.write(rows).map_err(unsupported),
            Encoder::ArrowStream(writer) => writer.write(rows).map_err(unsupported),
            Encoder::Table { rows: all, .. } => {
                all.push(rows.clone());
                Ok(())
            }
        }
    }

    /// Notes that rows are missing; call it last before [`Self::finish`].
    ///
    /// Text formats get a line or a record of its own, others metadata.
    ///
    /// # Errors
    /// The format has no place for a note.
    pub fn write_truncation_note(&mut self, sentence: &str) -> Result<()> {
        match &mut self.0 {
            Encoder::Csv(ready) => ready.extend_from_slice(format!("# {sentence}\n").as_bytes()),
            Encoder::Markdown(ready) => {
                ready.extend_from_slice(format!("\n{sentence}\n").as_bytes())
            }
            Encoder::Table { note, .. } => *note = format!("{sentence}\n"),
            Encoder::Json(writer) => writer.write(&note_record(sentence)?)?,
            Encoder::Ndjson(writer) => writer.write(&note_record(sentence)?)?,
            Encoder::Parquet(writer) => writer.append_key_value_metadata(KeyValue::new(
                TRUNCATION_KEY.to_owned(),
                sentence.to_owned(),
            )),
            Encoder::Arrow(writer) => writer.write_metadata(TRUNCATION_KEY, sentence),
            Encoder::ArrowStream(_) => return Err(Error::limit(Limit::Rows, sentence)),
        }
        Ok(())
    }

    /// Writes the end of the format.
    pub fn finish(&mut self) -> Result<()> {
        match &mut self.0 {
            Encoder::Csv(_) | Encoder::Markdown(_) => {}
            Encoder::Json(writer) => {
                writer.finish()?;
                writer.get_mut().push(b'\n');
            }
            Encoder::Ndjson(writer) => writer.finish()?,
            Encoder::Parquet(writer) => drop(writer.finish().map_err(unsupported)?),
            Encoder::Arrow(writer) => writer.finish()?,
            Encoder::ArrowStream(writer) => writer.finish()?,
            Encoder::Table { schema, rows, note, ready } => {
                let table = pretty_format_batches_with_schema(Arc::clone(schema), rows)?;
                *ready = format!("{table}\n{note}").into_bytes();
                rows.clear();
            }
        }
        Ok(())
    }

    /// Returns the bytes written since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(match &mut self.0 {
            Encoder::Csv(ready) | Encoder::Markdown(ready) | Encoder::Table { ready, .. } => ready,
            Encoder::Json(writer) => writer.get_mut(),
            Encoder::Ndjson(writer) => writer.get_mut(),
            // The writer counts its bytes itself.
            Encoder::Parquet(writer) => writer.inner_mut(),
            Encoder::Arrow(writer) => writer.get_mut(),
            Encoder::ArrowStream(writer) => writer.get_mut(),
        })
    }
}

/// Metadata of the schema, for readers of Parquet that do not know Arrow.
fn key_value_metadata(schema: &Schema) -> Vec<KeyValue> {
    let notes = schema.metadata().iter();
    notes.map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect()
}

fn note_record(sentence: &str) -> std::result::Result<RecordBatch, ArrowError> {
    let schema = Schema::new(vec![Field::new(TRUNCATION_KEY, DataType::Utf8, false)]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(StringArray::from(vec![sentence]))])
}

fn unsupported(error: impl std::error::Error) -> Error {
    let sentence = format!("the format cannot hold these columns: {error}");
    Error::Query(QueryError::new(Fault::NotSupported, sentence))
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, ListArray,
        NullArray, TimestampMicrosecondArray,
    };
    use arrow::datatypes::Int64Type;

    use super::*;

    fn rows() -> RecordBatch {
        let decimals = Decimal128Array::from(vec![Some(-150), None]);
        let instants = TimestampMicrosecondArray::from(vec![Some(1_500_000), None]);
        let list =
            ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None]);
        let columns: [(&str, arrow::array::ArrayRef); 8] = [
            ("text", Arc::new(StringArray::from(vec![Some("a|b,\n"), Some("")]))),
            ("whole", Arc::new(Int64Array::from(vec![Some(-7), None]))),
            ("decimal", Arc::new(decimals.with_precision_and_scale(18, 2).unwrap())),
            ("float", Arc::new(Float64Array::from(vec![Some(0.5), None]))),
            ("truth", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ("at", Arc::new(instants.with_timezone("UTC"))),
            ("list", Arc::new(list)),
            ("none", Arc::new(NullArray::new(2))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
            .unwrap()
    }

    /// Encodes batches, taking the bytes after every step as a stream does.
    fn written(format: Format, batches: &[RecordBatch], note: Option<&str>) -> Vec<u8> {
        let mut writer = Writer::new(format, &rows().schema()).unwrap();
        let mut bytes = writer.take();
        for batch in batches {
            writer.write(batch).unwrap();
            bytes.extend(writer.take());
        }
        note.map_or(Ok(()), |note| writer.write_truncation_note(note)).unwrap();
        writer.finish().unwrap();
        bytes.extend(writer.take());
        bytes
    }

    #[track_caller]
    fn check(format: Format, expected: &str) {
        let found = String::from_utf8(written(format, &[rows()], Some("cut"))).unwrap();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_type_is_encoded_and_truncation_is_noted() {
        check(
            Format::Csv,
            "text,whole,decimal,float,truth,at,list,none\n\
             \"a|b,\n\",-7,-1.50,0.5,true,1970-01-01T00:00:01.500Z,\"[1, ]\",\n\
             \"\",,,,,,,\n# cut\n",
        );
        check(
            Format::Markdown,
            "| text | whole | decimal | float | truth | at | list | none |\n\
             |---|---:|---:|---:|---|---|---|---|\n\
             | a\\|b,<br> | -7 | -1.50 | 0.5 | true | 1970-01-01T00:00:01.500Z | [1, ] |  |\n\
             | \"\" |  |  |  |  |  |  |  |\n\ncut\n",
        );
        let ndjson = "{\"text\":\"a|b,\\n\",\"whole\":-7,\"decimal\":-1.50,\"float\":0.5,\
             \"truth\":true,\"at\":\"1970-01-01T00:00:01.500Z\",\"list\":[1,null],\"none\":null}\n\
             {\"text\":\"\",\"whole\":null,\"decimal\":null,\"float\":null,\"truth\":null,\
             \"at\":null,\"list\":null,\"none\":null}\n{\"uptally_cut\":\"cut\"}\n";
        check(Format::Ndjson, ndjson);
        let json = format!("[{}]\n", ndjson.trim_end().replace("}\n{", "},{"));
        check(Format::Json, &json);
    }

    #[test]
    fn only_a_header_is_written_without_rows() {
        let header = "text,whole,decimal,float,truth,at,list,none\n";
        assert_eq!(written(Format::Csv, &[], None), header.as_bytes());
        assert_eq!(written(Format::Json, &[], None), b"[]\n");
        assert_eq!(written(Format::Ndjson, &[], None), b"");
        let table = String::from_utf8(written(Format::Table, &[], None)).unwrap();
        assert_eq!(table.lines().count(), 4, "{table}");
    }

    #[test]
    fn a_large_row_group_is_flushed() {
        // Incompressible bytes.
        let noise = |number: u8| {
            let mut bytes = vec![0; 1 << 20];
            blake3::Hasher::new().update(&[number]).finalize_xof().fill(&mut bytes);
            let column: ArrayRef = Arc::new(BinaryArray::from_vec(vec![bytes.as_slice()]));
            RecordBatch::try_from_iter([("noise", column)]).unwrap()
        };
        let mut writer = Writer::new(Format::Parquet, &noise(0).schema()).unwrap();
        let (mut bytes, mut part_max) = (Vec::new(), 0);
        for number in 0..12 {
            writer.write(&noise(number)).unwrap();
            let part = writer.take();
            part_max = part_max.max(part.len());
            bytes.extend(part);
        }
        writer.finish().unwrap();
        bytes.extend(writer.take());
        let metadata = parquet::file::metadata::ParquetMetaDataReader::new()
            .parse_and_finish(&bytes::Bytes::from(bytes))
            .unwrap();
        assert!(metadata.num_row_groups() > 1 && part_max < 2 * ROW_GROUP_BYTES_MAX);
    }

    #[test]
    fn files_taken_in_parts_are_complete() {
        let (batches, bytes) = ([rows(), rows()], |format| {
            bytes::Bytes::from(written(format, &[rows(), rows()], None))
        });
        let expected = arrow::compute::concat_batches(&rows().schema(), &batches).unwrap();
        let read = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(
            bytes(Format::Parquet),
            1024,
        );
        let read: Vec<_> = read.unwrap().map(std::result::Result::unwrap).collect();
        assert_eq!(read, std::slice::from_ref(&expected));
        let file = std::io::Cursor::new(bytes(Format::Arrow));
        let read: Vec<_> = arrow::ipc::reader::FileReader::try_new(file, None)
            .unwrap()
            .map(std::result::Result::unwrap)
            .collect();
        assert_eq!(read, batches);
        let stream = std::io::Cursor::new(bytes(Format::ArrowStream));
        let read: Vec<_> = arrow::ipc::reader::StreamReader::try_new(stream, None)
            .unwrap()
            .map(std::result::Result::unwrap)
            .collect();
        assert_eq!(read, batches);
        let cut = bytes::Bytes::from(written(Format::Parquet, &batches, Some("cut")));
        let metadata =
            parquet::file::metadata::ParquetMetaDataReader::new().parse_and_finish(&cut).unwrap();
        let notes = metadata.file_metadata().key_value_metadata().unwrap();
        assert!(notes.iter().any(|note| note.key == TRUNCATION_KEY), "{notes:?}");
    }
}
