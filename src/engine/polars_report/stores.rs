//! Stores of the report with their origins and local clocks.

use polars::prelude::*;

use super::ReportFiles;
use super::line::{Line, ORIGIN};
use super::scan::{self, STORE_ID};
use crate::rules::{LocalClock, ZoneName, ZoneRules};

/// Rows of the stores, sorted by id: `store_id`, `origin`, and the UTC offsets of its local clock.
pub(super) struct Stores {
    rows: DataFrame,
    line: Line,
    /// Largest number of offset changes of any zone around the range.
    clock_changes: usize,
}

impl Stores {
    /// Reads the stores and their clocks.
    ///
    /// # Errors
    /// If a file cannot be read, a time zone is unknown, or the stores do not fit on the line.
    pub fn read(
        files: &ReportFiles,
        line: Line,
        default_time_zone: ZoneName,
        only: Option<&[String]>,
    ) -> PolarsResult<Self> {
        let mut ids = scan::stores(&files.stores, only)?;
        if let Some(only) = only {
            let asked = df!(STORE_ID => only)?.lazy();
            ids = ids.semi_join(asked, col(STORE_ID), col(STORE_ID));
        }
        let zoned = ids
            .sort([STORE_ID], SortMultipleOptions::default())
            .with_row_index("store", None)
            .select([col(STORE_ID), line.origin_of(col("store")).alias(ORIGIN)])
            .left_join(scan::time_zones(&files.time_zones, only)?, col(STORE_ID), col(STORE_ID))
            .with_column(col("time_zone").fill_null(lit(default_time_zone.as_str())))
            .collect()?;
        let (count, max) = (zoned.height(), line.stores_max());
        polars_ensure!(
            count <= max,
            ComputeError: "{count} stores in one report, expected at most {max}"
        );
        let zones = zoned.column("time_zone")?.str()?.unique()?;
        let clocks = zones
            .iter()
            .flatten()
            .map(|name| clock(name, line, &files.zone_rules))
            .collect::<PolarsResult<_>>()?;
        let (clocks, clock_changes) = offsets(clocks)?;
        let rows = zoned
            .lazy()
            .left_join(clocks.lazy(), col("time_zone"), col("time_zone"))
            .drop(cols(["time_zone"]))
            .sort([ORIGIN], SortMultipleOptions::default())
            .collect()?;
        Ok(Self { rows, line, clock_changes })
    }

    pub fn rows(&self) -> LazyFrame {
        self.rows.clone().lazy()
    }

    pub fn origins(&self) -> LazyFrame {
        self.rows().select([col(STORE_ID), col(ORIGIN)])
    }

    pub fn line(&self) -> Line {
        self.line
    }

    /// Instant at which the clock of the row's store shows a local time.
    pub fn instant_of(&self, local_us: Expr) -> Expr {
        let mut offset_us = col("first_offset_us");
        for change in 0..self.clock_changes {
            let passed = col(local_from(change)).lt_eq(local_us.clone());
            offset_us = offset_us + when(passed).then(col(gained_us(change))).otherwise(lit(0i64));
        }
        local_us - offset_us
    }
}

fn local_from(change: usize) -> String {
    format!("local_from_{change}")
}

fn gained_us(change: usize) -> String {
    format!("gained_us_{change}")
}

fn clock(zone: &str, line: Line, rules: &ZoneRules) -> PolarsResult<(String, LocalClock)> {
    let known = rules.zone(zone).ok_or_else(
        || polars_err!(ComputeError: "time zone {zone:?} is unknown, expected an IANA name"),
    )?;
    Ok((zone.to_owned(), LocalClock::over(&known, line.range())))
}

/// Table with a row per zone: `time_zone`, `first_offset_us`, and for each change of offset its
/// first local time and the difference to the offset before; nulls if a zone has fewer changes.
fn offsets(clocks: Vec<(String, LocalClock)>) -> PolarsResult<(DataFrame, usize)> {
    let column = |name: String, of_clock: &dyn Fn(&LocalClock) -> Option<i64>| {
        let values: Vec<Option<i64>> = clocks.iter().map(|(_, clock)| of_clock(clock)).collect();
        Column::new(name.into(), values)
    };
    let names: Vec<&str> = clocks.iter().map(|(name, _)| name.as_str()).collect();
    let changes = clocks.iter().map(|(_, clock)| clock.changes().len()).max().unwrap_or(0);
    let mut columns = vec![
        Column::new("time_zone".into(), names),
        column("first_offset_us".into(), &|clock| Some(clock.first_offset_us())),
    ];
    for change in 0..changes {
        let from = |clock: &LocalClock| Some(clock.changes().get(change)?.local_from);
        columns.push(column(local_from(change), &from));
        columns.push(column(gained_us(change), &|clock| gained(clock, change)));
    }
    Ok((DataFrame::new_infer_height(columns)?, changes))
}

fn gained(clock: &LocalClock, change: usize) -> Option<i64> {
    let before_us = match change.checked_sub(1) {
        Some(before) => clock.changes().get(before)?.offset_us,
        None => clock.first_offset_us(),
    };
    Some(clock.changes().get(change)?.offset_us - before_us)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Window;

    #[test]
    fn an_unknown_zone_is_refused_by_name() {
        let line = Line::over(Window::LONGEST.before(0));
        let error = clock("Atlantis/Capital", line, &ZoneRules::bundled()).unwrap_err();
        let sentence = "time zone \"Atlantis/Capital\" is unknown, expected an IANA name";
        assert_eq!(error.to_string(), sentence);
    }
}
