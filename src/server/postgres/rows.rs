//! Encoding of query results as `DataRow` messages.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::error::ArrowError;
use datafusion_postgres::arrow_pg::datatypes::arrow_schema_to_pg_fields;
use datafusion_postgres::arrow_pg::encoder::encode_value;
use datafusion_postgres::pgwire::api::ClientInfo;
use datafusion_postgres::pgwire::api::portal::Format;
use datafusion_postgres::pgwire::api::results::{DataRowEncoder, FieldInfo, QueryResponse};
use datafusion_postgres::pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::data::DataRow;
use datafusion_postgres::pgwire::types::format::FormatOptions;
use futures::StreamExt;

use super::super::queries::SqlQuery;
use super::failure::{self, error};
use super::open_results::open_result;
use super::planner::Planner;
use crate::error::counted;
use crate::sql::Deliveries;

/// Rows of a result, and the counter of rows that the client has read.
pub struct RowStream {
    pub rows: QueryResponse,
    pub deliveries: Deliveries,
}

/// Severity of the notice that follows truncated rows.
pub const WARNING: &str = "WARNING";

/// Runs a query and streams its rows. Dropping the stream cancels the query.
///
/// # Errors
/// When planning or execution fails, or the client has too many open results.
pub async fn run(
    planner: &Planner,
    question: SqlQuery,
    client: &impl ClientInfo,
    format: &Format,
) -> PgWireResult<RowStream> {
    let limits = planner.limits(client);
    let options = Arc::new(FormatOptions::from_client_metadata(client.metadata()));
    let open_result = open_result(client, &planner.service.compute.budget)?;
    let rows = planner.service.queries.run(question).await.map_err(failure::from_failure)?;
    let columns = Arc::new(columns(&rows.schema(), format, Some(options))?);
    let (cut, deliveries) = (rows.cut(), rows.deliveries());
    let delivered = deliveries.clone();
    let end =
        futures::stream::once(async move { cut.is_cut().then(|| truncation_warning(limits.rows)) });
    let sent = rows.flat_map({
        let columns = Arc::clone(&columns);
        move |batch| {
            let batch =
                batch.map_err(failure::from_error).and_then(|batch| with_short_decimals(&batch));
            let rows: Box<dyn Iterator<Item = PgWireResult<DataRow>> + Send> = match batch {
                Ok(batch) => Box::new(encode_rows(Arc::clone(&columns), batch)),
                Err(failed) => Box::new(std::iter::once(Err(failed))),
            };
            futures::stream::iter(rows)
        }
    });
    let warning = end.filter_map(|warning| async { warning.map(Err) });
    let all = sent.chain(warning).inspect(move |_| {
        let _is_open = &open_result;
        delivered.count();
    });
    Ok(RowStream { rows: QueryResponse::new(columns, all), deliveries })
}

/// Largest decimal scale that arrow-pg 0.16 can encode.
const SCALE_MAX: i8 = 28;

/// Reduces decimal scales to [`SCALE_MAX`].
///
/// # Errors
/// When that changes a value.
fn with_short_decimals(rows: &RecordBatch) -> PgWireResult<RecordBatch> {
    let is_long =
        |of: &DataType| matches!(of, DataType::Decimal128(_, scale) if *scale > SCALE_MAX);
    if !rows.schema_ref().fields().iter().any(|field| is_long(field.data_type())) {
        return Ok(rows.clone());
    }
    let failed = |wrong: ArrowError| error("XX000", wrong.to_string());
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        let short = match field.data_type() {
            DataType::Decimal128(precision, _) if is_long(field.data_type()) => {
                DataType::Decimal128(*precision, SCALE_MAX)
            }
            _ => {
                fields.push(Arc::clone(field));
                columns.push(Arc::clone(column));
                continue;
            }
        };
        let cut = cast(column, &short).map_err(failed)?;
        if cast(&cut, field.data_type()).map_err(failed)?.as_ref() != column.as_ref() {
            let sentence = format!(
                "column {:?} has more than {SCALE_MAX} decimal places, the most that can be sent; use round",
                field.name()
            );
            return Err(error("22003", sentence));
        }
        fields.push(Arc::new(field.as_ref().clone().with_data_type(short)));
        columns.push(cut);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(failed)
}

/// Encodes the rows of a batch. A null interval is encoded as an untyped null, because arrow-pg
/// 0.16 encodes it as an interval of zero.
fn encode_rows(
    columns: Arc<Vec<FieldInfo>>,
    rows: RecordBatch,
) -> impl Iterator<Item = PgWireResult<DataRow>> + Send {
    let mut encoder = DataRowEncoder::new(Arc::clone(&columns));
    let null = Field::new("null", DataType::Null, true);
    (0..rows.num_rows()).map(move |row| {
        let fields = rows.schema_ref().fields().iter();
        for ((column, field), sent_as) in rows.columns().iter().zip(fields).zip(columns.iter()) {
            let is_null_interval =
                matches!(field.data_type(), DataType::Interval(_)) && column.is_null(row);
            let field = if is_null_interval { &null } else { field.as_ref() };
            encode_value(&mut encoder, column, row, field, sent_as)?;
        }
        Ok(encoder.take_row())
    })
}

/// Describes columns, in the formats that the client requested.
///
/// # Errors
/// When a column's type has no PostgreSQL equivalent, or the number of formats does not match.
pub fn columns(
    schema: &Schema,
    format: &Format,
    options: Option<Arc<FormatOptions>>,
) -> PgWireResult<Vec<FieldInfo>> {
    if let Format::Individual(formats) = format
        && formats.len() != schema.fields().len()
    {
        let asked = counted(formats.len(), "format is", "formats are");
        let there = counted(schema.fields().len(), "column", "columns");
        return Err(error("08P01", format!("{asked} given for {there}")));
    }
    arrow_schema_to_pg_fields(schema, format, options).map_err(|wrong| {
        let alone = |field: &FieldRef| Schema::new(vec![Arc::clone(field)]);
        let is_unknown = |field: &&FieldRef| {
            arrow_schema_to_pg_fields(&alone(field), &Format::UnifiedText, None).is_err()
        };
        match schema.fields().iter().find(is_unknown) {
            Some(field) => error(
                "0A000",
                format!(
                    "column {:?} has a type without a PostgreSQL equivalent; cast it",
                    field.name()
                ),
            ),
            None => wrong,
        }
    })
}

fn truncation_warning(rows: usize) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new(
        WARNING.into(),
        "01004".into(),
        format!(
            "the result was truncated to {}, the limit of rows (--sql-rows)",
            counted(rows, "row", "rows")
        ),
    )))
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Decimal128Array, IntervalMonthDayNanoArray};
    use arrow::datatypes::IntervalMonthDayNano;
    use datafusion_postgres::arrow_pg::datatypes::encode_recordbatch;

    use super::*;

    /// Length field of a null value.
    const NULL: [u8; 4] = (-1_i32).to_be_bytes();

    fn intervals() -> RecordBatch {
        let day = IntervalMonthDayNano::new(0, 1, 0);
        let intervals: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![None, Some(day)]));
        RecordBatch::try_from_iter_with_nullable([("length", intervals, true)]).unwrap()
    }

    fn columns_of(rows: &RecordBatch, format: &Format) -> Arc<Vec<FieldInfo>> {
        Arc::new(columns(&rows.schema(), format, None).unwrap())
    }

    #[test]
    fn an_interval_that_is_null_is_sent_as_null() {
        for format in [Format::UnifiedText, Format::UnifiedBinary] {
            let rows = intervals();
            let sent = encode_rows(columns_of(&rows, &format), rows);
            let sent: Vec<_> = sent.map(|row| row.unwrap()).collect();
            assert_eq!((sent.len(), sent[0].field_count), (2, 1));
            assert_eq!(&sent[0].data[..], NULL, "{format:?}");
            assert_ne!(&sent[1].data[..4], NULL, "{format:?}");
        }
    }

    #[test]
    fn decimals_are_sent_with_the_largest_scale() {
        let rows = |value: i128| {
            let column = Decimal128Array::from(vec![Some(value), None]);
            let column: ArrayRef = Arc::new(column.with_precision_and_scale(38, 30).unwrap());
            RecordBatch::try_from_iter([("price", column)]).unwrap()
        };
        let sent = with_short_decimals(&rows(2_500)).unwrap();
        let expected = Decimal128Array::from(vec![Some(25), None]);
        let expected = expected.with_precision_and_scale(38, 28).unwrap();
        assert_eq!(sent.column(0).as_ref(), &expected as &dyn Array);
        assert!(with_short_decimals(&rows(2_501)).is_err());
    }

    /// When this fails after an upgrade of arrow-pg, [`encode_rows`] can go.
    #[test]
    fn arrow_pg_still_encodes_a_null_interval_as_zero() {
        let rows = intervals();
        let mut sent = encode_recordbatch(columns_of(&rows, &Format::UnifiedText), rows);
        assert_ne!(&sent.next().unwrap().unwrap().data[..], NULL);
    }
}
