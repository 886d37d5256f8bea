//! Zone rules of a version: the newest available when it is made.

use std::collections::BTreeSet;

use super::replace;
use crate::error::{Error, Result};
use crate::rules::calendar::DAY_US;
use crate::rules::{Span, ZoneRules};
use crate::tables::{
    Change, Dataset, Load, Table, WriteLock, polled_range, zone_rules_batch, zone_rules_hash,
    zones_in_use,
};

/// Kind, in the table `loads`, of a load that changes only the rules.
const KIND: &str = "zone_rules";

/// Replacement of one edition by another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesChange {
    /// Editions.
    pub from: String,
    pub to: String,
    /// Zones in use whose offsets differ, from the first poll to ten years after the last one, in
    /// ascending order.
    pub zones: Vec<String>,
}

/// Chooses the rules of the next version: `offered` if newer than those of the dataset.
///
/// # Errors
/// The offered rules lack a zone in use.
pub fn choose(dataset: Option<&Dataset>, offered: &ZoneRules) -> Result<ZoneRules> {
    let Some(dataset) = dataset else { return Ok(offered.clone()) };
    let held = dataset.zone_rules()?;
    if !offered.is_newer_than(&held) {
        return Ok(held);
    }
    let in_use = zones_in_use(dataset)?;
    match in_use.iter().find(|zone| offered.zone(zone).is_none()) {
        Some(missing) => Err(Error::Argument(format!(
            "the zone rules {} lack {missing}, which stores use; choose rules that have it",
            offered.edition()
        ))),
        None => Ok(offered.clone()),
    }
}

/// Writes the rules if the dataset does not hold them.
pub fn write_if_changed(
    rules: &ZoneRules,
    dataset: Option<&Dataset>,
    lock: &WriteLock,
    change: &mut Change,
) -> Result<()> {
    let is_held = |dataset: &Dataset| Ok::<_, Error>(dataset.zone_rules()? == *rules);
    match dataset.map(is_held).transpose()? {
        Some(true) => Ok(()),
        _ => replace(change, lock.folder(), Table::ZoneRules, zone_rules_batch(rules)?),
    }
}

/// Difference between the rules of two consecutive versions; `None` if the edition is the same.
///
/// # Errors
/// The tables cannot be read.
pub fn rules_change(before: &Dataset, after: &Dataset) -> Result<Option<RulesChange>> {
    let (old, new) = (before.zone_rules()?, after.zone_rules()?);
    if old.edition() == new.edition() {
        return Ok(None);
    }
    let zones = differing_zones(after, &old, &new)?;
    let (from, to) = (old.edition().to_owned(), new.edition().to_owned());
    Ok(Some(RulesChange { from, to, zones }))
}

/// Zones in use whose offsets differ between the editions, from the first poll to ten years after
/// the last one, in ascending order.
///
/// # Errors
/// The tables cannot be read.
pub fn differing_zones(
    dataset: &Dataset,
    rules: &ZoneRules,
    others: &ZoneRules,
) -> Result<Vec<String>> {
    const AHEAD_US: i64 = 3_653 * DAY_US;
    let in_use: BTreeSet<String> = zones_in_use(dataset)?;
    let polled = polled_range(dataset)?;
    let range = polled.and_then(|span| Span::new(span.starts_at(), span.ends_at() + AHEAD_US));
    let Some(range) = range else { return Ok(Vec::new()) };
    let differing = rules.names_that_differ(others, in_use.iter().map(String::as_str), range);
    Ok(differing.into_iter().map(str::to_owned).collect())
}

/// Makes a version that changes only the zone rules; `None` if the offered ones are not newer.
/// `source` is recorded as their origin.
///
/// # Errors
/// Nothing is loaded, the rules lack a zone in use, or the folder cannot be written.
pub async fn update_zone_rules(
    lock: &WriteLock,
    offered: &ZoneRules,
    source: &str,
    loaded_at: i64,
) -> Result<Option<(u64, RulesChange)>> {
    let dataset = Dataset::open(lock.folder(), None).await?;
    let dataset = dataset
        .ok_or_else(|| Error::Argument("no data loaded; run `uptally ingest` first".into()))?;
    let rules = choose(Some(&dataset), offered)?;
    if !rules.is_newer_than(&dataset.zone_rules()?) {
        return Ok(None);
    }
    let mut change = Change::default();
    write_if_changed(&rules, Some(&dataset), lock, &mut change)?;
    let load = Load {
        loaded_at,
        kind: KIND.to_owned(),
        file: source.to_owned(),
        content_hash: zone_rules_hash(&rules),
        rows: rules.names().len() as u64,
        zone_rules: Some(rules.edition().to_owned()),
        ..Load::default()
    };
    let version = change.commit(Some(&dataset), lock, vec![load]).await?;
    let after = Dataset::open(lock.folder(), Some(version)).await?;
    let after = after.ok_or_else(|| Error::bug("the new version is gone"))?;
    Ok(rules_change(&dataset, &after)?.map(|change| (version, change)))
}
