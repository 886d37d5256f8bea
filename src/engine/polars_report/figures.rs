//! Converts the result of the Polars engine to the format that both engines return.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use polars::prelude::DataFrame;

use super::{ReportFiles, tallies};
use crate::engine::ResolvedQuery;
use crate::error::{Error, Result};
use crate::tables::{Table, TableFile};

/// Computes [`ReportFigures::figures`](crate::engine::ReportFigures::figures).
///
/// Requires a multi-threaded runtime, because the frames are collected on a blocking thread.
pub async fn figures(asked: &ResolvedQuery) -> Result<RecordBatch> {
    let files = report_files(asked)?;
    let (now, options) = (asked.now, asked.question.options);
    let only = (!asked.question.stores.is_empty()).then(|| asked.question.stores.clone());
    let collected =
        tokio::task::spawn_blocking(move || tallies(&files, now, &options, only.as_deref()));
    let frame = collected.await.map_err(|error| Error::Bug {
        what: "the dataframe engine stopped".into(),
        source: Some(error.into()),
    })??;
    let wanted = |name: &str| asked.question.wants(name);
    record_batch(frame, wanted)
}

fn report_files(asked: &ResolvedQuery) -> Result<ReportFiles> {
    let paths = |files: Vec<&TableFile>| -> Vec<PathBuf> {
        files.into_iter().map(|file| file.path.clone()).collect()
    };
    let all = |table: Table| paths(asked.dataset.files(table).iter().collect());
    Ok(ReportFiles {
        polls: paths(asked.files_of_days(Table::Polls)),
        carried: paths(asked.files_of_days(Table::Carried)),
        stores: all(Table::Stores),
        business_hours: all(Table::BusinessHours),
        time_zones: all(Table::TimeZones),
        zone_rules: asked.dataset.zone_rules()?,
    })
}

fn record_batch(frame: DataFrame, wanted: impl Fn(&str) -> bool) -> Result<RecordBatch> {
    let (mut fields, mut columns): (Vec<Field>, Vec<ArrayRef>) = Default::default();
    for column in frame.columns().iter().filter(|column| wanted(column.name())) {
        let (data_type, values): (_, ArrayRef) = if column.name() == "store_id" {
            (DataType::Utf8, Arc::new(column.str()?.iter().collect::<StringArray>()))
        } else {
            (DataType::Int64, Arc::new(column.i64()?.iter().collect::<Int64Array>()))
        };
        fields.push(Field::new(column.name().as_str(), data_type, false));
        columns.push(values);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
