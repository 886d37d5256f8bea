//! Rows on their way to an Arrow client.

use std::pin::Pin;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::utils::batches_to_flight_data;
use futures::{Stream, StreamExt, TryStreamExt};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use super::status;
use crate::sql::Rows;

pub type FlightStream = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// Says, with the number of rows that came, that there were more: as trailing metadata, and as
/// application metadata of the last message.
pub const CUT: &str = "x-uptally-cut";

/// Every batch as it comes; dropped, they end the query.
pub fn stream(rows: Rows, rows_max: usize) -> FlightStream {
    let (schema, cut) = (rows.schema(), rows.cut());
    let batches = rows.map_err(|error| FlightError::Tonic(Box::new(status::of(error))));
    let data = FlightDataEncoderBuilder::new().with_schema(schema.clone()).build(batches);
    let end = futures::stream::once(async move {
        let told = cut.is_cut().then(|| told_as_cut(schema, rows_max));
        futures::stream::iter(told.into_iter().flatten())
    });
    Box::pin(data.map_err(Status::from).chain(end.flatten()))
}

pub fn of_batch(batch: RecordBatch) -> FlightStream {
    let batches = futures::stream::iter([Ok(batch.clone())]);
    let data = FlightDataEncoderBuilder::new().with_schema(batch.schema()).build(batches);
    Box::pin(data.map_err(Status::from))
}

/// A message of no rows that says so, then the end that says it as well.
fn told_as_cut(schema: SchemaRef, rows: usize) -> Vec<Result<FlightData, Status>> {
    let empty = RecordBatch::new_empty(schema.clone());
    let data = batches_to_flight_data(&schema, vec![empty]).map(|mut messages| {
        messages.pop().map(|message| message.with_app_metadata(format!("{CUT}: {rows}")))
    });
    let mut trailers = MetadataMap::new();
    trailers.insert(CUT, rows.into());
    // Trailing metadata leaves with a status, as which this one is not a failure.
    let end = Status::with_metadata(Code::Ok, "", trailers);
    data.ok().flatten().map(Ok).into_iter().chain([Err(end)]).collect()
}
