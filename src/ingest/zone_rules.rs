//! Which rules of time zones a version has: the newest at hand when it is made.

use std::collections::BTreeSet;

use super::replace;
use crate::error::{Error, Result};
use crate::rules::calendar::DAY_US;
use crate::rules::{Span, ZoneRules};
use crate::tables::{
    Change, Dataset, Load, Table, WriteLock, polled_range, zone_rules_batch, zone_rules_hash,
    zones_in_use,
};

/// Word for a load that changes the rules alone.
const KIND: &str = "zone_rules";

/// Rules that took the place of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesChange {
    /// Editions.
    pub from: String,
    pub to: String,
    /// Zones in use whose clocks the two set otherwise, from the first poll to ten years after the
    /// last one; in ascending order.
    pub zones: Vec<String>,
}

/// The rules of the next version: those offered where they are newer than its own.
///
/// # Errors
/// Where those offered lack a zone in use.
pub fn adopted(dataset: Option<&Dataset>, offered: &ZoneRules) -> Result<ZoneRules> {
    let Some(dataset) = dataset else { return Ok(offered.clone()) };
    let held = dataset.zone_rules()?;
    if !offered.is_newer_than(&held) {
        return Ok(held);
    }
    let in_use = zones_in_use(dataset)?;
    match in_use.iter().find(|zone| offered.zone(zone).is_none()) {
        Some(missing) => Err(Error::Argument(format!(
            "the zone rules {} know no {missing}, which stores use; choose rules with all names",
            offered.edition()
        ))),
        None => Ok(offered.clone()),
    }
}

/// Writes the rules where the next version is the first to have them.
pub fn keep(
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

/// What other rules a version has than the one before.
///
/// # Errors
/// Where the tables cannot be read.
pub fn rules_change(before: &Dataset, after: &Dataset) -> Result<Option<RulesChange>> {
    let (old, new) = (before.zone_rules()?, after.zone_rules()?);
    if old.edition() == new.edition() {
        return Ok(None);
    }
    let zones = differing_zones(after, &old, &new)?;
    let (from, to) = (old.edition().to_owned(), new.edition().to_owned());
    Ok(Some(RulesChange { from, to, zones }))
}

/// Zones that the stores of a dataset use and whose clocks the two set otherwise, from the first poll
/// to ten years after the last one; in ascending order.
///
/// # Errors
/// Where the tables cannot be read.
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
    let differing = rules.differing(others, in_use.iter().map(String::as_str), range);
    Ok(differing.into_iter().map(str::to_owned).collect())
}

/// Makes a version that differs from the newest one in its rules alone; `None` where those offered
/// are not newer. `source` says where they come from.
///
/// # Errors
/// Where nothing was loaded, the rules lack a zone in use, or the folder cannot be written.
pub async fn update_zone_rules(
    lock: &WriteLock,
    offered: &ZoneRules,
    source: &str,
    loaded_at: i64,
) -> Result<Option<(u64, RulesChange)>> {
    let dataset = Dataset::open(lock.folder(), None).await?;
    let dataset = dataset.ok_or_else(|| {
        Error::Argument("nothing was loaded yet; run `uptally ingest` first".into())
    })?;
    let rules = adopted(Some(&dataset), offered)?;
    if !rules.is_newer_than(&dataset.zone_rules()?) {
        return Ok(None);
    }
    let mut change = Change::default();
    keep(&rules, Some(&dataset), lock, &mut change)?;
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
    let after = after.ok_or_else(|| Error::bug("the version that was made is gone"))?;
    Ok(rules_change(&dataset, &after)?.map(|change| (version, change)))
}
