//! `is_open`, `next_open`, `next_close`, `business_time` and `to_store_time`: scalars that take a
//! store's id and know its hours and its zone, which are read when first asked for.

use std::fmt::{self, Debug};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    ArrayRef, BooleanBuilder, Int64Builder, PrimitiveBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use hashbrown::HashMap;

use super::arguments::{Ranges, coerced, instant, text};
use super::documented::{self, Documented};
use super::hours::{Clocks, on_calendar, range_on_calendar};
use super::lists::instant_type;
use super::scalars::columns_of;
use super::stop::Stop;
use crate::error::broken;
use crate::rules::calendar::DAY_US;
use crate::rules::schedule::Schedule;
use crate::rules::{Span, WeeklyHours, Zone, ZoneRules};

/// The hours and the zone of one store.
#[derive(Clone, Debug)]
pub struct StoreHours {
    pub week: WeeklyHours,
    pub zone: Zone,
}

/// Reads the hours of every store; blocks while it does.
type Read = dyn Fn() -> crate::Result<Vec<(String, StoreHours)>> + Send + Sync;

/// The hours of every store of a chain, read once and shared by all who ask.
pub struct ChainHours {
    read: Box<Read>,
    known: Mutex<Option<Arc<HashMap<String, StoreHours>>>>,
}

impl ChainHours {
    pub fn new(
        read: impl Fn() -> crate::Result<Vec<(String, StoreHours)>> + Send + Sync + 'static,
    ) -> Self {
        Self { read: Box::new(read), known: Mutex::new(None) }
    }

    /// What could not be read is read again by who asks next.
    fn known(&self) -> Result<Arc<HashMap<String, StoreHours>>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*known {
            return Ok(Arc::clone(known));
        }
        let read = (self.read)()
            .map_err(|error| DataFusionError::IoError(std::io::Error::other(error.sentence())))?;
        let read = Arc::new(read.into_iter().collect());
        *known = Some(Arc::clone(&read));
        Ok(read)
    }
}

impl Debug for ChainHours {
    fn fmt(&self, text: &mut fmt::Formatter) -> fmt::Result {
        text.write_str("ChainHours")
    }
}

/// One function: what it is, and what makes a column of it.
#[derive(Debug)]
pub struct StoreScalar {
    pub documented: &'static Documented,
    returns: fn() -> DataType,
    compute: fn(&mut Schedules, &[ArrayRef], usize) -> Result<ArrayRef>,
}

pub const STORE_SCALARS: [StoreScalar; 5] = [
    StoreScalar {
        documented: &documented::IS_OPEN,
        returns: || DataType::Boolean,
        compute: is_open,
    },
    StoreScalar { documented: &documented::NEXT_OPEN, returns: instant_type, compute: next_open },
    StoreScalar { documented: &documented::NEXT_CLOSE, returns: instant_type, compute: next_close },
    StoreScalar {
        documented: &documented::BUSINESS_TIME,
        returns: || DataType::Int64,
        compute: business_time,
    },
    StoreScalar {
        documented: &documented::TO_STORE_TIME,
        returns: || DataType::Timestamp(TimeUnit::Microsecond, None),
        compute: to_store_time,
    },
];

/// A scalar over the stores of a chain, as DataFusion knows it.
#[derive(Debug)]
pub struct StoreFunction {
    scalar: StoreScalar,
    chain: Arc<ChainHours>,
    signature: Signature,
    documentation: Documentation,
}

impl StoreFunction {
    pub fn new(scalar: StoreScalar, chain: Arc<ChainHours>) -> Self {
        let documentation = scalar.documented.documentation();
        // The same within a query, not for ever: the next version may have other hours.
        let signature = Signature::user_defined(Volatility::Stable);
        Self { scalar, chain, signature, documentation }
    }
}

impl PartialEq for StoreFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && Arc::ptr_eq(&self.chain, &other.chain)
    }
}

impl Eq for StoreFunction {}

impl Hash for StoreFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
        Arc::as_ptr(&self.chain).hash(state);
    }
}

impl ScalarUDFImpl for StoreFunction {
    fn name(&self) -> &str {
        self.scalar.documented.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerced(self.scalar.documented, given)
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok((self.scalar.returns)())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (columns, rows) = columns_of(&args)?;
        let known = self.chain.known()?;
        let column = (self.scalar.compute)(&mut Schedules::of(&known), &columns, rows)?;
        Ok(ColumnarValue::Array(column))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// The schedules that a batch of rows asks for, each laid out once.
struct Schedules<'a> {
    known: &'a HashMap<String, StoreHours>,
    clocks: Clocks,
    stop: Stop,
    laid: HashMap<(&'a str, i64), Schedule>,
}

impl<'a> Schedules<'a> {
    /// What is laid out at once: long enough to serve many rows, short enough for one.
    const STRETCH_US: i64 = 28 * DAY_US;
    /// More than a batch sorted by store or by time needs at once.
    const LAID_MAX: usize = 4_096;

    fn of(known: &'a HashMap<String, StoreHours>) -> Self {
        let stop = Stop::of_thread();
        Self { known, clocks: Clocks::by(&ZoneRules::bundled()), stop, laid: HashMap::new() }
    }

    /// The store of a row; `None` where nobody knows it.
    fn store(&self, ids: &ArrayRef, row: usize) -> Option<(&'a str, &'a StoreHours)> {
        let (id, hours) = self.known.get_key_value(text(ids, row)?)?;
        Some((id, hours))
    }

    /// The stretch that holds an instant.
    fn stretch(instant: i64) -> Result<Span> {
        on_calendar(instant)?;
        let starts_at = instant.div_euclid(Self::STRETCH_US) * Self::STRETCH_US;
        Span::new(starts_at, starts_at + Self::STRETCH_US)
            .ok_or_else(|| broken("a stretch is empty"))
    }

    /// The schedule of a store, right for instants of the stretch.
    ///
    /// # Errors
    /// Where nobody waits for it any more.
    fn schedule(
        &mut self,
        (id, hours): (&'a str, &StoreHours),
        stretch: Span,
    ) -> Result<&Schedule> {
        self.stop.unless_set()?;
        let key = (id, stretch.starts_at());
        if !self.laid.contains_key(&key) {
            if self.laid.len() == Self::LAID_MAX {
                self.laid.clear();
            }
            let clock = self.clocks.of_zone(&hours.zone, Schedule::laid(stretch))?;
            self.laid.insert(key, Schedule::over(&hours.week, clock, stretch));
        }
        Ok(&self.laid[&key])
    }

    /// Asks the schedule of each row's store about the row's instant; `None` where one is null or
    /// the store is unknown.
    fn ask<T>(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        ask: impl Fn(&Schedule, i64) -> Option<T>,
        mut take: impl FnMut(Option<T>),
    ) -> Result<()> {
        for row in 0..rows {
            let asked = self.store(&columns[0], row).zip(instant(&columns[1], row));
            take(match asked {
                Some((store, at)) => ask(self.schedule(store, Self::stretch(at)?)?, at),
                None => None,
            });
        }
        Ok(())
    }
}

fn is_open(schedules: &mut Schedules, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let mut open = BooleanBuilder::with_capacity(rows);
    let ask = |schedule: &Schedule, at| Some(schedule.is_open(at));
    schedules.ask(columns, rows, ask, |is_open| open.append_option(is_open))?;
    Ok(Arc::new(open.finish()))
}

fn next_open(schedules: &mut Schedules, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    instants(schedules, columns, rows, Schedule::next_open)
}

fn next_close(schedules: &mut Schedules, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    instants(schedules, columns, rows, Schedule::next_close)
}

fn instants(
    schedules: &mut Schedules,
    columns: &[ArrayRef],
    rows: usize,
    ask: fn(&Schedule, i64) -> Option<i64>,
) -> Result<ArrayRef> {
    let mut instants = PrimitiveBuilder::<TimestampMicrosecondType>::with_capacity(rows);
    schedules.ask(columns, rows, ask, |at| instants.append_option(at))?;
    Ok(Arc::new(instants.finish().with_timezone("UTC")))
}

fn business_time(schedules: &mut Schedules, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let ranges = Ranges::new(&columns[1], &columns[2]);
    let mut times = Int64Builder::with_capacity(rows);
    for row in 0..rows {
        let asked = schedules.store(&columns[0], row).zip(ranges.range(row)?);
        times.append_option(match asked {
            Some((store, Some(range))) => Some(open_us(schedules, store, range)?),
            Some((_, None)) => Some(0),
            None => None,
        });
    }
    Ok(Arc::new(times.finish()))
}

fn open_us<'a>(
    schedules: &mut Schedules<'a>,
    store: (&'a str, &StoreHours),
    range: Span,
) -> Result<i64> {
    range_on_calendar(range)?;
    if store.1.week == WeeklyHours::Always {
        return Ok(range.ends_at() - range.starts_at());
    }
    let (mut total_us, mut at) = (0, range.starts_at());
    while at < range.ends_at() {
        let stretch = Schedules::stretch(at)?;
        if let Some(part) = stretch.within(range) {
            total_us += schedules.schedule(store, stretch)?.open_us(part);
        }
        at = stretch.ends_at();
    }
    Ok(total_us)
}

fn to_store_time(schedules: &mut Schedules, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let mut times = TimestampMicrosecondBuilder::with_capacity(rows);
    for row in 0..rows {
        schedules.stop.unless_set()?;
        let asked = schedules.store(&columns[0], row).zip(instant(&columns[1], row));
        times.append_option(match asked {
            Some(((_, hours), at)) => {
                let stretch = Schedules::stretch(at)?;
                let clock = schedules.clocks.of_zone(&hours.zone, Schedule::laid(stretch))?;
                Some(clock.local_at(at))
            }
            None => None,
        });
    }
    Ok(Arc::new(times.finish()))
}
