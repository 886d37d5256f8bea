//! Cache of the schedules that a batch needs, each laid onto the calendar once.

use std::collections::HashMap;

use arrow::array::ArrayRef;
use datafusion::error::Result;

use super::{KnownHours, ReadOptions, StoreHours};
use crate::error::{broken, query_err};
use crate::functions::arguments::text;
use crate::functions::open_spans::{Clocks, check_instant};
use crate::limits::CancellationFlag;
use crate::rules::calendar::DAY_US;
use crate::rules::schedule::Schedule;
use crate::rules::{LocalClock, Options, Span, WeeklyHours, Zone, ZoneRules};

pub struct Schedules<'a> {
    known: &'a KnownHours,
    read_options: ReadOptions,
    /// The default options come first.
    options: Vec<ResolvedOptions>,
    /// Index of the options that a text stands for.
    places: HashMap<String, usize>,
    clocks: Clocks,
    pub cancellation: CancellationFlag,
    laid: HashMap<(&'a str, usize, i64), Schedule>,
}

/// Options, and the defaults they give to stores without hours or zone.
struct ResolvedOptions {
    options: Options,
    week: WeeklyHours,
    /// `None` if the rules of the dataset do not contain the default zone.
    zone: Option<Zone>,
}

impl ResolvedOptions {
    fn new(options: Options, zones: &ZoneRules) -> Self {
        let zone = zones.zone(options.default_time_zone.as_str());
        Self { options, week: options.default_hours.week(), zone }
    }
}

/// Store of a row, and the index of its options.
#[derive(Clone, Copy)]
pub struct Store<'a> {
    id: &'a str,
    hours: &'a StoreHours,
    options: usize,
}

impl<'a> Schedules<'a> {
    /// Span that is laid out at once: long enough to serve many rows, short enough for a single
    /// one.
    const CHUNK_US: i64 = 28 * DAY_US;
    /// More than a batch that is sorted by store or by time needs at once.
    const LAID_MAX: usize = 4_096;

    pub fn new(known: &'a KnownHours, read_options: ReadOptions) -> Self {
        let usual = ResolvedOptions::new(Options::default(), &known.zones);
        Self {
            known,
            read_options,
            options: vec![usual],
            places: HashMap::new(),
            clocks: Clocks::new(&known.zones),
            cancellation: CancellationFlag::current(),
            laid: HashMap::new(),
        }
    }

    /// Store of a row and its options, a text or null; `None` if the store is unknown.
    ///
    /// # Errors
    /// If the options are invalid.
    pub fn store(
        &mut self,
        ids: &ArrayRef,
        options: Option<&ArrayRef>,
        row: usize,
    ) -> Result<Option<Store<'a>>> {
        let known: &'a KnownHours = self.known;
        let found = text(ids, row).and_then(|id| known.stores.get_key_value(id));
        let Some((id, hours)) = found else { return Ok(None) };
        let options = match options.and_then(|options| text(options, row)) {
            Some(text) => self.place(text)?,
            None => 0,
        };
        Ok(Some(Store { id, hours, options }))
    }

    fn place(&mut self, text: &str) -> Result<usize> {
        if let Some(place) = self.places.get(text) {
            return Ok(*place);
        }
        let options = match (self.read_options)(text) {
            Ok(options) => options,
            Err(wrong) => return query_err!("{wrong}"),
        };
        self.options.push(ResolvedOptions::new(options, &self.known.zones));
        let place = self.options.len() - 1;
        self.places.insert(text.to_owned(), place);
        Ok(place)
    }

    pub fn is_always_open(&self, store: Store) -> bool {
        *self.week(store) == WeeklyHours::Always
    }

    pub fn is_never_open(&self, store: Store) -> bool {
        matches!(self.week(store), WeeklyHours::Rows(rows) if rows.is_empty())
    }

    fn week<'s>(&'s self, store: Store<'s>) -> &'s WeeklyHours {
        store.hours.week.as_ref().unwrap_or(&self.options[store.options].week)
    }

    fn zone(&self, store: Store) -> Result<Zone> {
        let asked = &self.options[store.options];
        match store.hours.zone.as_ref().or(asked.zone.as_ref()) {
            Some(zone) => Ok(zone.clone()),
            None => query_err!(
                "the zone rules {} of the data know no {}",
                self.known.zones.edition(),
                asked.options.default_time_zone
            ),
        }
    }

    /// Clock of a store, valid for instants of the chunk.
    ///
    /// # Errors
    /// If its zone is unknown.
    pub fn clock(&mut self, store: Store, chunk: Span) -> Result<&LocalClock> {
        let zone = self.zone(store)?;
        self.clocks.over_zone(&zone, Schedule::clock_span(chunk))
    }

    /// Chunk that contains an instant.
    ///
    /// # Errors
    /// If the instant is not within the years 1 to 9999.
    pub fn chunk(instant: i64) -> Result<Span> {
        check_instant(instant)?;
        let starts_at = instant.div_euclid(Self::CHUNK_US) * Self::CHUNK_US;
        Span::new(starts_at, starts_at + Self::CHUNK_US).ok_or_else(|| broken("a chunk is empty"))
    }

    /// Schedule of a store, valid for instants of the chunk.
    ///
    /// # Errors
    /// If the zone is unknown or the query was cancelled.
    pub fn schedule(&mut self, store: Store<'a>, chunk: Span) -> Result<&Schedule> {
        self.cancellation.check()?;
        let key = (store.id, store.options, chunk.starts_at());
        if !self.laid.contains_key(&key) {
            if self.laid.len() >= Self::LAID_MAX {
                self.laid.clear();
            }
            let zone = self.zone(store)?;
            let asked = &self.options[store.options];
            let week = store.hours.week.as_ref().unwrap_or(&asked.week);
            let clock = self.clocks.over_zone(&zone, Schedule::clock_span(chunk))?;
            let laid = Schedule::new(week, clock, chunk, asked.options.snap_end_of_day);
            self.laid.insert(key, laid);
        }
        Ok(&self.laid[&key])
    }
}
