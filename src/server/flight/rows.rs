//! Rows on their way to an Arrow client.

use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use futures::{Stream, StreamExt, TryStreamExt, future};
use tonic::Status;

use super::status;
use crate::sql::{Limits, Rows};

pub type FlightStream = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// An answer's schema as clients are told of it, before its rows and with them: every column may be
/// null. Which ones never are, the optimiser alone finds out, and clients refuse rows that have
/// another schema than was announced.
pub fn announced(schema: &Schema) -> SchemaRef {
    let nullable = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
    let fields: Vec<_> = schema.fields().iter().map(nullable).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Every batch as it comes; dropped, they end the query. Clients show nothing beside the rows but an
/// error, so that rows which the limit cuts end with one.
pub fn stream(rows: Rows, limits: Limits) -> FlightStream {
    let (schema, cut) = (announced(&rows.schema()), rows.cut());
    let told = async move { cut.is_cut().then(|| Err(limits.out_of_rows())) };
    let told = futures::stream::once(told).filter_map(future::ready);
    let batches = rows.chain(told);
    let batches = batches.map_err(|error| FlightError::Tonic(Box::new(status::of(error))));
    let data = FlightDataEncoderBuilder::new().with_schema(schema).build(batches);
    Box::pin(data.map_err(Status::from))
}

pub fn of_batch(batch: RecordBatch) -> FlightStream {
    let batches = futures::stream::iter([Ok(batch.clone())]);
    let data = FlightDataEncoderBuilder::new().with_schema(batch.schema()).build(batches);
    Box::pin(data.map_err(Status::from))
}
