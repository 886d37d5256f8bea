//! Writes rows of any columns in a format, batch by batch.
//!
//! Bytes are taken as they get ready: the rows are never in memory together, but for
//! [`Format::Table`], whose widths depend on all of them.

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

use super::Format;
use super::text::{csv_header_into, csv_into, markdown_header_into, markdown_into};
use crate::error::{Error, Fault, Result, Wrong};

/// What a note of missing rows is called, where the format has names.
const CUT: &str = "uptally_cut";
/// A row group is in memory until it is whole: it ends with so many rows, or bytes.
const ROW_GROUP_ROWS_MAX: usize = 128 << 10;
const ROW_GROUP_BYTES_MAX: usize = 4 << 20;

pub struct Writer(Kind);

type Json<F> = arrow::json::Writer<Vec<u8>, F>;

enum Kind {
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
    /// Where the format cannot hold columns of such types.
    pub fn new(format: Format, schema: &SchemaRef) -> Result<Self> {
        let json = || JsonBuilder::new().with_explicit_nulls(true);
        Ok(Self(match format {
            Format::Csv => {
                let mut ready = Vec::new();
                csv_header_into(schema, &mut ready);
                Kind::Csv(ready)
            }
            Format::Markdown => {
                let mut ready = Vec::new();
                markdown_header_into(schema, &mut ready);
                Kind::Markdown(ready)
            }
            Format::Json => Kind::Json(Box::new(json().build(Vec::new()))),
            Format::Ndjson => Kind::Ndjson(Box::new(json().build(Vec::new()))),
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
                    .set_key_value_metadata(Some(notes(schema)))
                    .build();
                let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties));
                Kind::Parquet(Box::new(writer.map_err(unfit)?))
            }
            Format::Arrow => {
                Kind::Arrow(Box::new(FileWriter::try_new(Vec::new(), schema).map_err(unfit)?))
            }
            Format::ArrowStream => {
                let writer = StreamWriter::try_new(Vec::new(), schema).map_err(unfit)?;
                Kind::ArrowStream(Box::new(writer))
            }
            Format::Table => Kind::Table {
                schema: Arc::clone(schema),
                rows: Vec::new(),
                note: String::new(),
                ready: Vec::new(),
            },
        }))
    }

    /// # Errors
    /// Where the format cannot hold columns of such types.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        match &mut self.0 {
            Kind::Csv(ready) => csv_into(rows, ready).map_err(unfit),
            Kind::Markdown(ready) => markdown_into(rows, ready).map_err(unfit),
            Kind::Json(writer) => writer.write(rows).map_err(unfit),
            Kind::Ndjson(writer) => writer.write(rows).map_err(unfit),
            Kind::Parquet(writer) => {
                writer.write(rows).map_err(unfit)?;
                let is_full = writer.memory_size() > ROW_GROUP_BYTES_MAX;
                if is_full { writer.flush().map_err(unfit) } else { Ok(()) }
            }
            Kind::Arrow(writer) => writer.write(rows).map_err(unfit),
            Kind::ArrowStream(writer) => writer.write(rows).map_err(unfit),
            Kind::Table { rows: all, .. } => {
                all.push(rows.clone());
                Ok(())
            }
        }
    }

    /// Says within the rows that there were more of them; the last thing before the end.
    ///
    /// A line or a record of its own where the format is text, metadata where it has any.
    ///
    /// # Errors
    /// Where the format has no place for it.
    pub fn note_cut(&mut self, sentence: &str) -> Result<()> {
        match &mut self.0 {
            Kind::Csv(ready) => ready.extend_from_slice(format!("# {sentence}\n").as_bytes()),
            Kind::Markdown(ready) => ready.extend_from_slice(format!("\n{sentence}\n").as_bytes()),
            Kind::Table { note, .. } => *note = format!("{sentence}\n"),
            Kind::Json(writer) => writer.write(&record(sentence)?)?,
            Kind::Ndjson(writer) => writer.write(&record(sentence)?)?,
            Kind::Parquet(writer) => {
                writer.append_key_value_metadata(KeyValue::new(CUT.to_owned(), sentence.to_owned()))
            }
            Kind::Arrow(writer) => writer.write_metadata(CUT, sentence),
            Kind::ArrowStream(_) => return Err(Error::Limit(sentence.to_owned())),
        }
        Ok(())
    }

    /// Writes what comes after the last row.
    pub fn finish(&mut self) -> Result<()> {
        match &mut self.0 {
            Kind::Csv(_) | Kind::Markdown(_) => {}
            Kind::Json(writer) => {
                writer.finish()?;
                writer.get_mut().push(b'\n');
            }
            Kind::Ndjson(writer) => writer.finish()?,
            Kind::Parquet(writer) => drop(writer.finish().map_err(unfit)?),
            Kind::Arrow(writer) => writer.finish()?,
            Kind::ArrowStream(writer) => writer.finish()?,
            Kind::Table { schema, rows, note, ready } => {
                let table = pretty_format_batches_with_schema(Arc::clone(schema), rows)?;
                *ready = format!("{table}\n{note}").into_bytes();
                rows.clear();
            }
        }
        Ok(())
    }

    /// The bytes that got ready since they were taken last.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(match &mut self.0 {
            Kind::Csv(ready) | Kind::Markdown(ready) | Kind::Table { ready, .. } => ready,
            Kind::Json(writer) => writer.get_mut(),
            Kind::Ndjson(writer) => writer.get_mut(),
            // It counts what it wrote by itself.
            Kind::Parquet(writer) => writer.inner_mut(),
            Kind::Arrow(writer) => writer.get_mut(),
            Kind::ArrowStream(writer) => writer.get_mut(),
        })
    }
}

/// What the schema says beside the columns, for readers of Parquet that know no Arrow.
fn notes(schema: &Schema) -> Vec<KeyValue> {
    let notes = schema.metadata().iter();
    notes.map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect()
}

fn record(sentence: &str) -> std::result::Result<RecordBatch, ArrowError> {
    let schema = Schema::new(vec![Field::new(CUT, DataType::Utf8, false)]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(StringArray::from(vec![sentence]))])
}

fn unfit(error: impl std::error::Error) -> Error {
    let sentence = format!("the format cannot hold these columns: {error}");
    Error::Query(Wrong::new(Fault::NotSupported, sentence))
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

    /// Taken after every step, as a stream takes them.
    fn written(format: Format, batches: &[RecordBatch], note: Option<&str>) -> Vec<u8> {
        let mut writer = Writer::new(format, &rows().schema()).unwrap();
        let mut bytes = writer.take();
        for batch in batches {
            writer.write(batch).unwrap();
            bytes.extend(writer.take());
        }
        note.map_or(Ok(()), |note| writer.note_cut(note)).unwrap();
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
    fn every_type_has_a_spelling_and_a_cut_is_noted() {
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
    fn nothing_but_a_header_is_written_of_no_rows() {
        let header = "text,whole,decimal,float,truth,at,list,none\n";
        assert_eq!(written(Format::Csv, &[], None), header.as_bytes());
        assert_eq!(written(Format::Json, &[], None), b"[]\n");
        assert_eq!(written(Format::Ndjson, &[], None), b"");
        let table = String::from_utf8(written(Format::Table, &[], None)).unwrap();
        assert_eq!(table.lines().count(), 4, "{table}");
    }

    #[test]
    fn a_row_group_ends_when_it_is_large() {
        // Nothing that packs well.
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
    fn files_that_are_taken_in_parts_are_whole() {
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
        assert!(notes.iter().any(|note| note.key == CUT), "{notes:?}");
    }
}
