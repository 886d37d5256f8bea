//! Lazy scans of the Parquet columns that a report needs.

use std::path::PathBuf;

use polars::prelude::*;

pub(super) const STORE_ID: &str = "store_id";

pub(super) fn stores(files: &[PathBuf], only: Option<&[String]>) -> PolarsResult<LazyFrame> {
    table(files, &[], only)
}

pub(super) fn time_zones(files: &[PathBuf], only: Option<&[String]>) -> PolarsResult<LazyFrame> {
    table(files, &[("time_zone", DataType::String)], only)
}

pub(super) fn business_hours(
    files: &[PathBuf],
    only: Option<&[String]>,
) -> PolarsResult<LazyFrame> {
    let columns =
        ["day_of_week", "start_local_s", "end_local_s"].map(|name| (name, DataType::Int64));
    table(files, &columns, only)
}

/// Polls with `polled_at` in microseconds, in the order of the files and their rows.
pub(super) fn polls(files: &[PathBuf], only: Option<&[String]>) -> PolarsResult<LazyFrame> {
    table(files, &[("polled_at", DataType::Int64), ("active", DataType::Boolean)], only)
}

/// Scans store ids and the named columns as the given types. Restricted to stores between the least
/// and the greatest id in `only`, which statistics of files sorted by store can prune.
fn table(
    files: &[PathBuf],
    columns: &[(&str, DataType)],
    only: Option<&[String]>,
) -> PolarsResult<LazyFrame> {
    let columns = || [(STORE_ID, DataType::String)].into_iter().chain(columns.iter().cloned());
    let nothing_asked = only.is_some_and(<[String]>::is_empty);
    if files.is_empty() || nothing_asked {
        let schema: Schema =
            columns().map(|(name, dtype)| Field::new(name.into(), dtype)).collect();
        return Ok(DataFrame::empty_with_schema(&schema).lazy());
    }
    // Paths are literal, and the day in a path is not a column here.
    let as_named = ScanArgsParquet {
        glob: false,
        hive_options: HiveOptions::new_disabled(),
        ..ScanArgsParquet::default()
    };
    let mut rows = LazyFrame::scan_parquet_sources(sources(files)?, as_named)?;
    if let Some(bounds) = only.and_then(between_bounds) {
        rows = rows.filter(bounds);
    }
    let typed: Vec<Expr> = columns().map(|(name, dtype)| col(name).cast(dtype)).collect();
    Ok(rows.select(typed))
}

/// Paths of the files, or open files if a path is not UTF-8, as Polars requires of paths.
fn sources(files: &[PathBuf]) -> PolarsResult<ScanSources> {
    if files.iter().all(|path| path.to_str().is_some()) {
        let paths = files.iter().map(|path| PlRefPath::try_from_path(path));
        return Ok(ScanSources::Paths(paths.collect::<PolarsResult<_>>()?));
    }
    let open = |path: &PathBuf| {
        let opened = std::fs::File::open(path);
        opened.map_err(|error| std::io::Error::new(error.kind(), format!("{path:?}: {error}")))
    };
    let files = files.iter().map(open).collect::<std::io::Result<Vec<_>>>()?;
    Ok(ScanSources::Files(files.into()))
}

/// `None` without ids.
fn between_bounds(ids: &[String]) -> Option<Expr> {
    let (least, greatest) = (ids.iter().min()?, ids.iter().max()?);
    let id = || col(STORE_ID);
    Some(id().gt_eq(lit(least.as_str())).and(id().lt_eq(lit(greatest.as_str()))))
}
