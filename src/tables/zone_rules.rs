//! Zone rules of a dataset, stored so that its answers do not depend on the program's edition.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray, RecordBatch, StringArray};
use arrow::datatypes::TimestampMicrosecondType;

use super::dataset::Dataset;
use super::parquet_files::read_all;
use super::schema::Table;
use crate::error::{Error, Result};
use crate::rules::{Options, Span, ZoneRules};

/// Rows of the table `zone_rules` for an edition, sorted by name.
///
/// # Errors
/// Fails only because of a bug.
pub fn zone_rules_batch(rules: &ZoneRules) -> Result<RecordBatch> {
    let names = rules.names();
    let tzifs = names.iter().map(|name| rules.tzif(name));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(names.iter().map(Some).collect::<StringArray>()),
        Arc::new(StringArray::from(vec![rules.edition(); names.len()])),
        Arc::new(tzifs.collect::<BinaryArray>()),
    ];
    Ok(RecordBatch::try_new(Table::ZoneRules.file_schema(), columns)?)
}

/// BLAKE3 of the edition and all its rules, in hexadecimal.
pub fn zone_rules_hash(rules: &ZoneRules) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(rules.edition().as_bytes());
    for name in rules.names() {
        let tzif = rules.tzif(name).unwrap_or_default();
        hasher.update(name.as_bytes()).update(&[0]);
        hasher.update(&tzif.len().to_le_bytes()).update(tzif);
    }
    hasher.finalize().to_hex().to_string()
}

/// Reads the zone rules of a version; edition 2025b if it has none.
pub(super) fn read_zone_rules(dataset: &Dataset) -> Result<ZoneRules> {
    let files = dataset.files(Table::ZoneRules);
    if files.is_empty() {
        return Ok(ZoneRules::built_in());
    }
    let rows = read_all(Table::ZoneRules, files.iter().map(|file| file.path.as_path()))?;
    let broken = || Error::bug("the table of zone rules is not as it was written");
    let [names, editions, tzifs] = rows.columns() else { return Err(broken()) };
    let names = names.as_string_opt::<i32>().ok_or_else(broken)?;
    let editions = editions.as_string_opt::<i32>().ok_or_else(broken)?;
    let tzifs = tzifs.as_binary_opt::<i32>().ok_or_else(broken)?;
    let edition = editions.iter().flatten().next().ok_or_else(broken)?.to_owned();
    let zones = names.iter().zip(tzifs).filter_map(|(name, tzif)| Some((name?, tzif?)));
    Ok(ZoneRules::new(edition, zones.map(|(name, tzif)| (name.to_owned(), tzif.into()))))
}

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
