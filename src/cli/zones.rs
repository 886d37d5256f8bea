//! `uptally zones`: editions of the time-zone rules, and their update.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};

use super::arguments::{duration, instant};
use super::output;
use super::signals::StopSignal;
use crate::error::{Error, Result, counted};
use crate::ingest::{RulesChange, differing_zones, read_zoneinfo, update_zone_rules};
use crate::rules::calendar::{SECOND_US, instant_text};
use crate::rules::{Span, ZoneRules};
use crate::tables::{Dataset, WriteLock};

/// Lists the edition of the time-zone rules of each version of the tables.
///
/// A load adopts the newest edition available; earlier versions keep theirs.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// Folder of the tables
    #[arg(long, value_name = "DIR", env = "UPTALLY_DATA", default_value = "data", global = true)]
    data: PathBuf,
    #[command(flatten)]
    source: Source,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Creates a version of the tables with newer rules and the same data
    Update {
        /// Longest wait for a load of the folder to finish, like 30s [default: none]
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        wait: Option<Duration>,
    },
    /// Prints the UTC offsets of zones, and when each begins, as CSV
    Show {
        /// Names of zones [default: all]
        #[arg(value_name = "ZONE")]
        zones: Vec<String>,
        /// First instant
        #[arg(long, value_name = "T", default_value = "1970-01-01T00:00:00Z", value_parser = instant)]
        from: i64,
        /// Last instant
        #[arg(long, value_name = "T", default_value = "2100-01-01T00:00:00Z", value_parser = instant)]
        to: i64,
        /// Version of the tables whose rules to show [default: the newest]
        #[arg(long, value_name = "VERSION")]
        as_of: Option<u64>,
    },
}

/// Source of rules other than the bundled ones.
#[derive(Clone, Debug, Args)]
pub struct Source {
    /// Folder of time-zone rules like /usr/share/zoneinfo, used if newer than the bundled ones
    #[arg(long = "zone-rules", value_name = "DIR", global = true)]
    folder: Option<PathBuf>,
}

impl Source {
    /// Returns the newer of the folder's and the bundled rules.
    ///
    /// # Errors
    /// When the folder does not contain time-zone rules.
    pub fn newest(&self) -> Result<ZoneRules> {
        let bundled = ZoneRules::bundled();
        let given = self.folder.as_deref().map(read_zoneinfo).transpose()?;
        Ok(given.filter(|given| given.is_newer_than(&bundled)).unwrap_or(bundled))
    }

    /// Prints a note if the folder's rules are older than `edition`.
    ///
    /// # Errors
    /// As [`Self::newest`].
    pub fn note_if_older(&self, edition: &str) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let given = read_zoneinfo(folder)?;
        if given.edition() < edition {
            let given = given.edition();
            eprintln!("note: the zone rules {given} of {folder:?} are older; {edition} stay");
        }
        Ok(())
    }

    /// Rejects a folder of rules for reports from tables, whose versions have their own.
    ///
    /// # Errors
    /// When a folder is given.
    pub fn check_unused(&self) -> Result<()> {
        match self.folder {
            Some(_) => Err(Error::Argument(
                "--zone-rules is for CSV files, as the tables keep their rules; \
                 adopt newer ones with `uptally zones update --zone-rules DIR`"
                    .into(),
            )),
            None => Ok(()),
        }
    }

    /// Origin of the rules, as the table `loads` records it.
    fn origin(&self, rules: &ZoneRules) -> String {
        match &self.folder {
            Some(folder) if *rules != ZoneRules::bundled() => folder.display().to_string(),
            _ => "bundled".to_owned(),
        }
    }
}

pub async fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { action, data, source } = arguments;
    match action {
        None => list(data, source).await,
        Some(Action::Update { wait }) => update(data, source, wait.unwrap_or_default()).await,
        Some(Action::Show { zones, from, to, as_of }) => {
            let rules = match (&source.folder, Dataset::open(data, *as_of).await?) {
                (Some(folder), _) => read_zoneinfo(folder)?,
                (None, Some(dataset)) => dataset.zone_rules()?,
                (None, None) => ZoneRules::bundled(),
            };
            let range = Span::new(*from, *to).ok_or_else(|| {
                Error::Argument("--from is not before --to; choose an earlier instant".into())
            })?;
            output::write(clocks(&rules, zones, range)?.as_bytes(), None)
        }
    }
}

async fn list(data: &Path, source: &Source) -> Result<()> {
    let (bundled, built_in) = (ZoneRules::bundled(), ZoneRules::built_in());
    let zones = |rules: &ZoneRules| counted(rules.names().len(), "zone", "zones");
    let mut lines = vec![
        format!("{}: bundled, {}", bundled.edition(), zones(&bundled)),
        format!("{}: of versions without rules of their own", built_in.edition()),
    ];
    if let Some(folder) = &source.folder {
        let given = read_zoneinfo(folder)?;
        lines.push(format!("{}: in {folder:?}, {}", given.edition(), zones(&given)));
    }
    if let Some(newest) = Dataset::open(data, None).await? {
        let loads = newest.loads().chunk_by(|a, b| a.version == b.version);
        let versions: Vec<u64> = loads.map(|loads| loads[0].version).collect();
        for same in versions.chunk_by(|a, b| newest.zone_edition(*a) == newest.zone_edition(*b)) {
            let ends = (same[0], same[same.len() - 1]);
            lines.push(edition_line(data, ends, &bundled).await?);
        }
    }
    output::write((lines.join("\n") + "\n").as_bytes(), None)
}

/// Describes consecutive versions with the same edition.
async fn edition_line(
    data: &Path,
    (first, last): (u64, u64),
    bundled: &ZoneRules,
) -> Result<String> {
    let named = match first == last {
        true => format!("version {first}"),
        false => format!("versions {first} to {last}"),
    };
    let dataset = Dataset::open(data, Some(last)).await?;
    let dataset = dataset.ok_or_else(|| Error::bug("a version that was there is gone"))?;
    let rules = dataset.zone_rules()?;
    let mut line = format!("{named}: {}", rules.edition());
    if rules.edition() != bundled.edition() {
        let zones = differing_zones(&dataset, &rules, bundled)?;
        let other = format!("clocks other than by {}", bundled.edition());
        let _ = match zones.is_empty() {
            true => write!(line, "; no {other} in the zones of its stores"),
            false => write!(line, "; {other} in {}", zones.join(", ")),
        };
    }
    Ok(line)
}

async fn update(data: &Path, source: &Source, wait: Duration) -> Result<()> {
    let stop = StopSignal::on_signals()?;
    let offered = source.newest()?;
    if Dataset::open(data, None).await?.is_none() {
        return Err(Error::Argument(format!("no data in {data:?}; run `uptally ingest` first")));
    }
    let lock = WriteLock::wait(data, wait, stop.flag()).await?;
    let now = chrono::Utc::now().timestamp_micros();
    let updated = update_zone_rules(&lock, &offered, &source.origin(&offered), now).await?;
    let summary = match updated {
        Some((version, change)) => format!("{}\nversion {version}\n", change_text(&change)),
        None => {
            let newest = Dataset::open(data, None).await?;
            let newest = newest.ok_or_else(|| Error::bug("the data that was there is gone"))?;
            let (version, edition) = (newest.version(), newest.zone_edition(newest.version()));
            source.note_if_older(&edition)?;
            format!("zone rules: {edition} already; nothing to do\nversion {version}\n")
        }
    };
    output::write(summary.as_bytes(), None)
}

/// Describes a change of rules in one line.
pub fn change_text(change: &RulesChange) -> String {
    let RulesChange { from, to, zones } = change;
    let clocks = match zones.is_empty() {
        true => "the clocks of all stores stay as they were".to_owned(),
        false => format!("clocks change in {}", zones.join(", ")),
    };
    format!("zone rules: {to}, in place of {from}; {clocks}")
}

/// CSV with a line per zone and offset, within the range.
fn clocks(rules: &ZoneRules, zones: &[String], range: Span) -> Result<String> {
    let all = rules.names();
    let names = if zones.is_empty() { all } else { zones.iter().map(String::as_str).collect() };
    let mut lines = "zone,starts_at,utc_offset_s\n".to_owned();
    for name in names {
        let zone = rules.zone(name).ok_or_else(|| {
            let edition = rules.edition();
            let remedy = rules.remedy(name);
            Error::Argument(format!("{name:?} is not a zone of the rules {edition}; {remedy}"))
        })?;
        let (from, to) = (range.starts_at(), range.ends_at());
        let first = (from, zone.offset_us(from));
        for (at, offset_us) in [first].into_iter().chain(zone.changes(from, to)) {
            let (name, at, offset_s) = (zone.name(), instant_text(at), offset_us / SECOND_US);
            let _ = writeln!(lines, "{name},{at},{offset_s}");
        }
    }
    Ok(lines)
}
