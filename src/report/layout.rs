//! Layout: turns exact microseconds into the columns of the report.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, FieldRef, Float64Type, Int64Type, Schema, SchemaRef,
};

use crate::error::{Error, Result};
use crate::rules::Window;
use crate::rules::keyword::Keywords;
use crate::rules::rounding::{hundredths, percent_hundredths, unit_us};

/// Columns of the report and their units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Adds `unknown`, `scheduled`, `uptime_pct` and `coverage_pct` for each window.
    pub extended: bool,
    /// Times in integer microseconds instead of minutes and hours; percentages are unaffected.
    pub exact: bool,
}

impl Layout {
    /// Values of [`Layout::extended`].
    pub const COLUMNS: Keywords<bool> = &[("standard", false), ("extended", true)];
}

const PRECISION: u8 = 18;
/// Decimal places of a rounded figure.
pub(super) const SCALE: i8 = 2;

/// Builds the columns of the report from an engine's figures.
///
/// Times are decimals of scale 2: minutes for the last hour, hours for the last day and week.
/// Percentages are null if the whole is zero.
pub fn lay_out(figures: &RecordBatch, layout: Layout) -> Result<RecordBatch> {
    let mut columns: Vec<(String, ArrayRef)> =
        vec![("store_id".into(), Arc::clone(column(figures, "store_id")?))];
    let kinds: &[&str] = if layout.extended {
        &["uptime", "downtime", "unknown", "scheduled"]
    } else {
        &["uptime", "downtime"]
    };
    for kind in kinds {
        for window in Window::ALL {
            let name = format!("{kind}_{}", window.name());
            let times = column(figures, &name)?;
            let rounded = if layout.exact { Arc::clone(times) } else { rounded(times, window)? };
            columns.push((name, rounded));
        }
    }
    if layout.extended {
        columns.extend(percentages(figures, "uptime_pct", |up, down, _| (up, up + down))?);
        columns.extend(percentages(figures, "coverage_pct", |up, down, open| (up + down, open))?);
    }
    let field = |(name, column): &(String, ArrayRef)| {
        Field::new(
            name,
            column.data_type().clone(),
            name.ends_with("_pct") || name.contains("_pct_"),
        )
    };
    let fields: Vec<_> = columns.iter().map(field).collect();
    let schema = Schema::new(fields).with_metadata(figures.schema().metadata().clone());
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

fn rounded(times: &ArrayRef, window: Window) -> Result<ArrayRef> {
    let unit_us = unit_us(window);
    let times = times.as_primitive::<Int64Type>();
    decimals(times.unary(|time_us| i128::from(hundredths(time_us, unit_us))))
}

/// Columns, one per window: the percentage of `ratio(uptime, downtime, scheduled)`.
fn percentages(
    figures: &RecordBatch,
    name: &str,
    ratio: impl Fn(i64, i64, i64) -> (i64, i64),
) -> Result<Vec<(String, ArrayRef)>> {
    let one = |window: Window| {
        let times = |kind: &str| -> Result<&Int64Array> {
            Ok(column(figures, &format!("{kind}_{}", window.name()))?.as_primitive::<Int64Type>())
        };
        let (up, down, open) = (times("uptime")?, times("downtime")?, times("scheduled")?);
        let shares = (0..figures.num_rows()).map(|row| {
            let (part_us, whole_us) = ratio(up.value(row), down.value(row), open.value(row));
            percent_hundredths(part_us, whole_us)
        });
        let shares = shares.map(|share| share.map(i128::from)).collect();
        Ok((format!("{name}_{}", window.name()), decimals(shares)?))
    };
    Window::ALL.into_iter().map(one).collect()
}

/// Report for programs: decimals become the nearest doubles, and fields name their unit in the
/// metadata.
pub fn with_doubles(report: &RecordBatch) -> Result<RecordBatch> {
    let columns: Vec<_> = report.columns().iter().map(doubles).collect();
    let fields = report.schema_ref().fields().iter().zip(&columns).map(|(field, column)| {
        let unit = unit_of(field.name(), field.data_type());
        let metadata = unit.map(|unit| ("unit".to_owned(), unit.to_owned()));
        Field::new(field.name(), column.data_type().clone(), field.is_nullable())
            .with_metadata(metadata.into_iter().collect())
    });
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let schema = schema.with_metadata(report.schema_ref().metadata().clone());
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

/// Converts decimals to doubles; leaves other columns unchanged.
fn doubles(column: &ArrayRef) -> ArrayRef {
    match column.as_primitive_opt::<Decimal128Type>() {
        // A quotient of integers that a double represents exactly is rounded only once.
        Some(decimals) => {
            Arc::new(decimals.unary::<_, Float64Type>(|hundredths| hundredths as f64 / 100.0))
        }
        None => Arc::clone(column),
    }
}

/// Unit of a figure; `None` for the store id.
fn unit_of(name: &str, data_type: &DataType) -> Option<&'static str> {
    let window = Window::ALL.into_iter().find(|window| name.ends_with(window.name()))?;
    Some(match (data_type, window) {
        _ if name.contains("_pct_") => "percent",
        (DataType::Int64, _) => "microseconds",
        (_, Window::Hour) => "minutes",
        _ => "hours",
    })
}

fn decimals(hundredths: Decimal128Array) -> Result<ArrayRef> {
    Ok(Arc::new(hundredths.with_precision_and_scale(PRECISION, SCALE)?))
}

fn column<'a>(figures: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    let found = figures.column_by_name(name);
    let found = found.ok_or_else(|| Error::bug(format!("the figures have no column {name:?}")))?;
    let expected = if name == "store_id" { DataType::Utf8 } else { DataType::Int64 };
    match found.data_type() == &expected && found.null_count() == 0 {
        true => Ok(found),
        false => {
            Err(Error::bug(format!("column {name:?} is {:?} or holds a null", found.data_type())))
        }
    }
}

/// Schema with all columns that a report can have; all but the id are nullable.
pub fn full_schema() -> SchemaRef {
    let mut fields = vec![Field::new("store_id", DataType::Utf8, false)];
    let decimal = DataType::Decimal128(PRECISION, SCALE);
    for kind in ["uptime", "downtime", "unknown", "scheduled", "uptime_pct", "coverage_pct"] {
        let names = Window::ALL.map(|window| format!("{kind}_{}", window.name()));
        fields.extend(names.map(|name| Field::new(name, decimal.clone(), true)));
    }
    Arc::new(Schema::new(fields))
}

/// Report with all columns of [`full_schema`], null where missing; exact times are rounded.
pub fn with_all_columns(report: &RecordBatch) -> Result<RecordBatch> {
    let schema = full_schema();
    let of_field = |field: &FieldRef| -> Result<ArrayRef> {
        let window = Window::ALL.into_iter().find(|window| field.name().ends_with(window.name()));
        match (report.column_by_name(field.name()), window) {
            (Some(column), Some(window)) if column.data_type() == &DataType::Int64 => {
                rounded(column, window)
            }
            (Some(column), _) => Ok(Arc::clone(column)),
            (None, _) => Ok(new_null_array(field.data_type(), report.num_rows())),
        }
    };
    let columns = schema.fields().iter().map(of_field).collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}
