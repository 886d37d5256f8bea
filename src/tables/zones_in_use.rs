//! Facts of a dataset that tell whether its zone rules are due for an update.

use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;

use super::dataset::Dataset;
use super::schema::Table;
use crate::error::Result;
use crate::rules::{Options, Span, ZoneRules};

/// Warning if the newest version has older zone rules than this program.
pub fn outdated_zone_rules(dataset: &Dataset) -> Option<String> {
    let (held, bundled) = (dataset.zone_edition(dataset.version()), ZoneRules::bundled());
    let is_old = held.as_str() < bundled.edition() && dataset.is_newest();
    is_old.then(|| {
        format!(
            "the data has the zone rules {held}, older than this program's {}; \
             run `uptally zones update`",
            bundled.edition()
        )
    })
}

/// Zones of the stores, in ascending order, including the default if a store has no zone.
///
/// # Errors
/// The tables cannot be read.
pub fn zones_in_use(dataset: &Dataset) -> Result<BTreeSet<String>> {
    let zones = dataset.columns(Table::TimeZones, &["time_zone"])?;
    let zones = zones.column(0).as_string::<i32>();
    let mut in_use: BTreeSet<&str> = zones.iter().flatten().collect();
    let has_zone = dataset.columns(Table::Stores, &["has_time_zone"])?;
    let has_zone = has_zone.column(0).as_boolean();
    if has_zone.true_count() < has_zone.len() {
        in_use.insert(Options::default().default_time_zone.as_str());
    }
    Ok(in_use.into_iter().map(str::to_owned).collect())
}

/// Span from the first to the last poll of all stores; `None` without polls.
///
/// # Errors
/// The tables cannot be read.
pub fn polled_range(dataset: &Dataset) -> Result<Option<Span>> {
    let polled = dataset.columns(Table::Stores, &["first_polled_at", "last_polled_at"])?;
    let instants = |name: &str| {
        polled.column_by_name(name).map(|column| column.as_primitive::<TimestampMicrosecondType>())
    };
    let first = instants("first_polled_at").and_then(arrow::compute::min);
    let last = instants("last_polled_at").and_then(arrow::compute::max);
    Ok(first.zip(last).and_then(|(first, last)| Span::new(first, last + 1)))
}
