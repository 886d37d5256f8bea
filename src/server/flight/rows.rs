//! Encoding of query results as Flight data.

use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt, future};
use tonic::{Code, Status};

use super::super::budget::Share;
use super::super::queries::Rows;
use super::super::request_log::Entry;
use super::{call_log, status};
use crate::limits::Limits;

pub type FlightStream = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// Schema with every column nullable, for `FlightInfo` and rows alike. Nullability is known only
/// after optimization, and clients reject rows whose schema differs from the announced one.
pub fn nullable_schema(schema: &Schema) -> SchemaRef {
    let nullable = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
    let fields: Vec<_> = schema.fields().iter().map(nullable).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Streams batches; dropping the stream cancels the query and releases the share. Truncated rows
/// end with an error, because Flight clients show no warnings.
pub fn stream(rows: Rows, limits: Limits, entry: Entry, share: Share) -> FlightStream {
    let (schema, cut, deliveries) =
        (nullable_schema(&rows.schema()), rows.cut(), rows.deliveries());
    let limit_error = async move { cut.is_cut().then(|| Err(limits.rows_exceeded())) };
    let limit_error = futures::stream::once(limit_error).filter_map(future::ready);
    let batches = rows.chain(limit_error);
    let batches = batches.map_err(|error| FlightError::Tonic(Box::new(status::from_error(error))));
    let batches = log_batches(batches.boxed(), entry);
    let data = FlightDataEncoderBuilder::new().with_schema(schema).build(batches);
    Box::pin(data.map_err(Status::from).inspect(move |_| {
        let _share = &share;
        deliveries.count();
    }))
}

type Batch = Result<RecordBatch, FlightError>;

/// Passes batches on, logging their rows and the final status; none if dropped early.
fn log_batches(
    batches: BoxStream<'static, Batch>,
    entry: Entry,
) -> impl Stream<Item = Batch> + Send {
    futures::stream::unfold((batches, entry), |(mut batches, mut entry)| async move {
        let batch = batches.next().await;
        match &batch {
            Some(Ok(batch)) => entry.count_rows(batch.num_rows()),
            Some(Err(FlightError::Tonic(status))) => {
                entry.answered(call_log::code_name(status.code()))
            }
            Some(Err(_)) => entry.answered(call_log::code_name(Code::Internal)),
            None => {
                // Logs 0 for an empty result.
                entry.count_rows(0);
                entry.answered(call_log::code_name(Code::Ok));
            }
        }
        batch.map(|batch| (batch, (batches, entry)))
    })
}

pub fn from_batch(batch: RecordBatch) -> FlightStream {
    let batches = futures::stream::iter([Ok(batch.clone())]);
    let data = FlightDataEncoderBuilder::new().with_schema(batch.schema()).build(batches);
    Box::pin(data.map_err(Status::from))
}
