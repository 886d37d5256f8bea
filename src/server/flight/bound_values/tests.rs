use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, FixedSizeBinaryArray, FixedSizeListArray,
    Float64Array, Int32Array, Int64Array, LargeBinaryArray, ListArray, NullArray, StringArray,
    StringViewArray, StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Schema, UnionFields, UnionMode};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::SchemaAsIpc;
use arrow_flight::utils::batches_to_flight_data;
use flatbuffers::FlatBufferBuilder;
use proptest::prelude::*;

use super::layout::ELEMENTS_MAX;
use super::*;

/// Invalid as a number of bytes or elements of every message here.
const HOSTILE: [i64; 6] = [-1, i64::MIN, 1 << 62, i64::MAX, 1 << 31, BODY_BYTES as i64 + 1];
const BODY_BYTES: usize = 64;

fn read(messages: &[FlightData]) -> Result<RecordBatch> {
    let mut reader = ValuesReader::default();
    messages.iter().try_for_each(|message| reader.take(message))?;
    reader.finish()
}

/// Row with a column of each supported kind.
fn row() -> RecordBatch {
    let decimals = Decimal128Array::from(vec![5]).with_precision_and_scale(10, 2).unwrap();
    let number = Arc::new(Field::new("number", DataType::Int32, true));
    let numbers = Arc::new(Int32Array::from(vec![1])) as ArrayRef;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(NullArray::new(1)),
        Arc::new(BooleanArray::from(vec![true])),
        Arc::new(Int64Array::from(vec![7])),
        Arc::new(Float64Array::from(vec![None::<f64>])),
        Arc::new(decimals),
        Arc::new(StringArray::from(vec!["ü"])),
        Arc::new(LargeBinaryArray::from(vec![&b"bytes"[..]])),
        Arc::new(StringViewArray::from(vec!["a text of more than twelve bytes"])),
        Arc::new(TimestampMicrosecondArray::from(vec![9]).with_timezone("UTC")),
        Arc::new(FixedSizeBinaryArray::try_from_iter([[1u8, 2]].into_iter()).unwrap()),
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), None])])),
        Arc::new(FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
            [Some([Some(1), Some(2)])],
            2,
        )),
        Arc::new(StructArray::from(vec![(number, numbers)])),
    ];
    let columns = columns.into_iter().enumerate();
    let named = columns.map(|(place, column)| (format!("${}", place + 1), column, true));
    RecordBatch::try_from_iter_with_nullable(named).unwrap()
}

fn messages(batch: &RecordBatch) -> Vec<FlightData> {
    batches_to_flight_data(&batch.schema(), vec![batch.clone()]).unwrap()
}

fn schema_of(data_type: DataType) -> FlightData {
    let schema = Schema::new(vec![Field::new("$1", data_type, true)]);
    SchemaAsIpc::new(&schema, &IpcWriteOptions::default()).into()
}

/// Claims in the metadata of a record batch.
#[derive(Clone, Default)]
struct Claim {
    rows: i64,
    /// Length and null count.
    nodes: Vec<(i64, i64)>,
    /// Offset and length.
    buffers: Vec<(i64, i64)>,
    variadic: Option<Vec<i64>>,
    is_compressed: bool,
}

impl Claim {
    /// Claims one row of one column, without nulls.
    fn row(buffers: &[(i64, i64)]) -> Self {
        Self { rows: 1, nodes: vec![(1, 0)], buffers: buffers.to_vec(), ..Self::default() }
    }

    fn message(&self) -> FlightData {
        let mut builder = FlatBufferBuilder::new();
        let nodes = self.nodes.iter().map(|(length, nulls)| ipc::FieldNode::new(*length, *nulls));
        let nodes = builder.create_vector(&nodes.collect::<Vec<_>>());
        let buffers =
            self.buffers.iter().map(|(offset, length)| ipc::Buffer::new(*offset, *length));
        let buffers = builder.create_vector(&buffers.collect::<Vec<_>>());
        let variadic =
            self.variadic.as_ref().map(|counts| builder.create_vector(counts.as_slice()));
        let zstd = ipc::BodyCompressionArgs {
            codec: ipc::CompressionType::ZSTD,
            ..ipc::BodyCompressionArgs::default()
        };
        let compression =
            self.is_compressed.then(|| ipc::BodyCompression::create(&mut builder, &zstd));
        let batch = ipc::RecordBatchArgs {
            length: self.rows,
            nodes: Some(nodes),
            buffers: Some(buffers),
            compression,
            variadicBufferCounts: variadic,
        };
        let batch = ipc::RecordBatch::create(&mut builder, &batch);
        let message = ipc::MessageArgs {
            version: ipc::MetadataVersion::V5,
            header_type: ipc::MessageHeader::RecordBatch,
            header: Some(batch.as_union_value()),
            bodyLength: BODY_BYTES as i64,
            custom_metadata: None,
        };
        let message = ipc::Message::create(&mut builder, &message);
        builder.finish(message, None);
        FlightData {
            data_header: builder.finished_data().to_vec().into(),
            data_body: vec![0; BODY_BYTES].into(),
            ..FlightData::default()
        }
    }
}

#[track_caller]
fn check_accepted(data_type: DataType, claim: &Claim) {
    read(&[schema_of(data_type), claim.message()]).unwrap();
}

#[track_caller]
fn check_refused(data_type: DataType, claim: &Claim) {
    let refused = read(&[schema_of(data_type), claim.message()]);
    assert!(matches!(refused, Err(Error::Query(_))), "{refused:?}");
}

fn list_of(data_type: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", data_type, true)))
}

#[test]
fn a_row_of_every_kind_is_accepted() {
    assert_eq!(read(&messages(&row())).unwrap(), row());
}

#[test]
fn a_hostile_length_is_refused_wherever_it_stands() {
    let claim = Claim::row(&[(0, 8), (8, 8)]);
    check_accepted(DataType::Int64, &claim);
    for hostile in HOSTILE {
        check_refused(DataType::Int64, &Claim { rows: hostile, ..claim.clone() });
        check_refused(DataType::Int64, &Claim { nodes: vec![(hostile, 0)], ..claim.clone() });
        check_refused(DataType::Int64, &Claim { nodes: vec![(1, hostile)], ..claim.clone() });
        for place in 0..claim.buffers.len() {
            let mut forged = claim.clone();
            forged.buffers[place].0 = hostile;
            check_refused(DataType::Int64, &forged);
            forged = claim.clone();
            forged.buffers[place].1 = hostile;
            check_refused(DataType::Int64, &forged);
        }
        let view = Claim { variadic: Some(vec![hostile]), ..Claim::row(&[(0, 0), (0, 16)]) };
        check_refused(DataType::Utf8View, &view);
    }
}

#[test]
fn a_buffer_that_is_short_missing_or_shared_is_refused() {
    check_refused(DataType::Int64, &Claim::row(&[]));
    check_refused(DataType::Int64, &Claim::row(&[(0, 0)]));
    check_refused(DataType::Int64, &Claim::row(&[(0, 0), (0, 7)]));
    check_refused(DataType::Int64, &Claim::row(&[(0, 0), (60, 8)]));
    check_refused(DataType::Int64, &Claim::row(&[(0, 64), (0, 64)]));
    let null = Claim { nodes: vec![(1, 1)], ..Claim::row(&[(0, 0), (0, 8)]) };
    check_refused(DataType::Int64, &null);
    check_refused(DataType::Int64, &Claim { nodes: vec![], ..Claim::row(&[(0, 0), (0, 8)]) });
    check_refused(DataType::Utf8, &Claim::row(&[(0, 0), (0, 4), (8, 0)]));
    check_accepted(DataType::Utf8, &Claim::row(&[(0, 0), (0, 8), (8, 0)]));
}

#[test]
fn a_part_of_an_offset_or_a_view_is_refused() {
    check_refused(DataType::Utf8, &Claim::row(&[(0, 0), (0, 9), (16, 0)]));
    check_refused(DataType::LargeBinary, &Claim::row(&[(0, 0), (0, 20), (24, 0)]));
    let view = Claim { variadic: Some(vec![0]), ..Claim::row(&[(0, 0), (0, 17)]) };
    check_refused(DataType::Utf8View, &view);
}

#[test]
fn counts_of_variadic_buffers_are_those_of_the_views() {
    let view = Claim::row(&[(0, 0), (0, 16)]);
    check_accepted(DataType::Utf8View, &Claim { variadic: Some(vec![0]), ..view.clone() });
    for counts in [None, Some(vec![]), Some(vec![1]), Some(vec![0, 0]), Some(vec![-2])] {
        check_refused(DataType::Utf8View, &Claim { variadic: counts, ..view.clone() });
    }
    let number = Claim::row(&[(0, 0), (0, 8)]);
    check_refused(DataType::Int64, &Claim { variadic: Some(vec![0]), ..number });
}

#[test]
fn elements_without_bytes_are_counted() {
    let many = ELEMENTS_MAX as i64 + 1;
    let nulls = Claim { nodes: vec![(1, 0), (many, many)], ..Claim::row(&[(0, 0), (0, 8)]) };
    check_refused(list_of(DataType::Null), &nulls);
    let structs = Claim { nodes: vec![(1, 0), (many, 0)], ..Claim::row(&[(0, 0), (0, 8), (8, 0)]) };
    check_refused(list_of(DataType::Struct(Fields::empty())), &structs);
}

#[test]
fn compressed_values_are_refused_whatever_they_expand_to() {
    let claim = Claim { is_compressed: true, ..Claim::row(&[(0, 0), (0, 64)]) };
    for expanded in HOSTILE {
        let mut bomb = claim.message();
        let rest = [0; BODY_BYTES - 8];
        bomb.data_body = [&expanded.to_le_bytes()[..], &rest].concat().into();
        let sentence = read(&[schema_of(DataType::Int64), bomb]).unwrap_err().to_string();
        assert!(sentence.contains("send them uncompressed"), "{sentence}");
    }
}

#[test]
fn a_type_that_the_reader_would_panic_over_is_refused() {
    let deep = (0..5).fold(DataType::Int64, |item, _| list_of(item));
    let number = || Arc::new(Field::new("number", DataType::Int32, true));
    let text = || Arc::new(Field::new("text", DataType::Utf8, true));
    for data_type in [
        DataType::FixedSizeBinary(-1),
        DataType::FixedSizeBinary(i32::MAX),
        DataType::FixedSizeList(number(), -1),
        DataType::FixedSizeList(number(), 0),
        DataType::Decimal128(0, 0),
        DataType::Decimal128(255, 0),
        DataType::Decimal128(38, -128),
        DataType::ListView(number()),
        DataType::RunEndEncoded(number(), text()),
        DataType::Union(UnionFields::empty(), UnionMode::Dense),
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        list_of(DataType::Utf8View),
        deep,
    ] {
        let refused = read(&[schema_of(data_type.clone())]).unwrap_err().to_string();
        assert!(refused.contains("type"), "{data_type}: {refused}");
    }
}

#[test]
fn fields_and_bytes_have_a_limit() {
    let message = |count: usize| -> FlightData {
        let fields = (0..count).map(|_| Field::new("", DataType::Null, true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        SchemaAsIpc::new(&schema, &IpcWriteOptions::default()).into()
    };
    let mut reader = ValuesReader::default();
    reader.take(&message(FIELDS_MAX)).unwrap();
    assert!(matches!(read(&[message(FIELDS_MAX + 1)]), Err(Error::Query(_))));
    let large =
        FlightData { data_body: vec![0; VALUES_BYTES_MAX + 1].into(), ..FlightData::default() };
    assert!(matches!(read(&[large]), Err(Error::Limit(_))));
    let nothing = vec![FlightData::default(); MESSAGES_MAX + 1];
    assert!(matches!(read(&nothing), Err(Error::Limit(_))));
}

#[test]
fn a_schema_must_precede_a_single_row() {
    let sent = messages(&row());
    let [schema, batch] = sent.as_slice() else { panic!("{} messages", sent.len()) };
    let none = messages(&row().slice(0, 0)).remove(1);
    let read = |messages: &[&FlightData]| {
        read(&messages.iter().map(|message| (*message).clone()).collect::<Vec<_>>())
    };
    assert_eq!(read(&[schema, &none]).unwrap().num_rows(), 0);
    assert_eq!(read(&[schema, &none, batch, &none]).unwrap(), row());
    assert!(read(&[]).is_err());
    assert!(read(&[schema]).is_err());
    assert!(read(&[batch]).is_err());
    assert!(read(&[schema, schema, batch]).is_err());
    let error = read(&[schema, batch, batch]).unwrap_err().to_string();
    assert!(error.contains("2 rows"), "{error}");
}

#[test]
fn a_truncated_message_is_rejected_or_complete() {
    let sent = messages(&row());
    for (place, message) in sent.iter().enumerate() {
        let cuts = (0..message.data_header.len()).map(|cut| (cut, message.data_body.len()));
        let bodies = (0..message.data_body.len()).map(|cut| (message.data_header.len(), cut));
        for (header, body) in cuts.chain(bodies) {
            let mut forged = sent.clone();
            forged[place].data_header.truncate(header);
            forged[place].data_body.truncate(body);
            if let Ok(values) = read(&forged) {
                assert_eq!(values, row(), "message {place} cut to {header} and {body} bytes");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Flipped bits may change or invalidate values, but must not cause a panic or exhaust memory.
    #[test]
    fn bits_that_flip_do_no_harm(flips in prop::collection::vec((any::<u16>(), 0u32..8), 1..6)) {
        let mut sent = messages(&row());
        for (place, bit) in flips {
            let lengths = sent.iter().map(|message| message.data_header.len()).sum::<usize>();
            let body = sent[1].data_body.len();
            let mut place = usize::from(place) % (lengths + body);
            let mut flip = |bytes: &mut bytes::Bytes| {
                let mut flipped = bytes.to_vec();
                if let Some(byte) = flipped.get_mut(place) {
                    *byte ^= 1 << bit;
                }
                place = place.wrapping_sub(flipped.len());
                *bytes = flipped.into();
            };
            sent.iter_mut().for_each(|message| flip(&mut message.data_header));
            flip(&mut sent[1].data_body);
        }
        drop(read(&sent));
    }
}
