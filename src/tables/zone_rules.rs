//! Zone rules of a dataset, stored so that its answers do not depend on the program's edition.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray, RecordBatch, StringArray};

use super::delta_log::TableFile;
use super::parquet_files::read_all;
use super::schema::Table;
use crate::error::{Error, Result};
use crate::rules::ZoneRules;

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

/// Reads the zone rules of a version from its files; edition 2025b if it has none.
pub fn read_zone_rules(files: &[TableFile]) -> Result<ZoneRules> {
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
