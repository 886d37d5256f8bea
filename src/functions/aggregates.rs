//! Aggregates `timeline`, `state_agg`, `poll_list` and `weekly_hours`.
//!
//! Partial states contain all rows, so any grouping of any table gives the same result.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, GroupsAccumulator, Signature, Volatility,
};
use datafusion::physical_expr::expressions::Literal;
use datafusion::scalar::ScalarValue;

use super::accumulator::{
    AnyAccumulator, FoldAccumulator, PollList, StateAgg, Timeline, WeeklyHours,
};
use super::arguments::{gap_us, interpolation};
use super::coercion::coerced;
use super::documented::{Documented, POLL_LIST, STATE_AGG, TIMELINE, WEEKLY_HOURS};
use super::grouping::state_type;
use crate::error::query_err;
use crate::rules::Interpolation;

/// Kind of fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fold {
    Timeline,
    StateAgg,
    PollList,
    WeeklyHours,
}

impl Fold {
    pub const ALL: [Fold; 4] = [Fold::Timeline, Fold::StateAgg, Fold::PollList, Fold::WeeklyHours];

    pub fn documented(self) -> &'static Documented {
        match self {
            Fold::Timeline => &TIMELINE,
            Fold::StateAgg => &STATE_AGG,
            Fold::PollList => &POLL_LIST,
            Fold::WeeklyHours => &WEEKLY_HOURS,
        }
    }
}

/// `AggregateUDFImpl` of a fold.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Aggregate {
    fold: Fold,
    signature: Signature,
    documentation: Documentation,
}

impl Aggregate {
    pub fn new(fold: Fold) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { fold, signature, documentation: fold.documented().documentation() }
    }

    fn folding(&self, args: &AccumulatorArgs) -> Result<Box<dyn AnyAccumulator>> {
        Ok(match self.fold {
            Fold::Timeline => Box::new(FoldAccumulator::new(self.timeline(args)?)),
            Fold::StateAgg => Box::new(FoldAccumulator::new(StateAgg)),
            Fold::PollList => Box::new(FoldAccumulator::new(PollList)),
            Fold::WeeklyHours => Box::new(FoldAccumulator::new(WeeklyHours)),
        })
    }

    fn timeline(&self, args: &AccumulatorArgs) -> Result<Timeline> {
        let interpolation = match self.constant(args, 2)?.try_as_str() {
            Some(Some(name)) => interpolation(name)?,
            _ => Interpolation::default(),
        };
        let max_gap_us = match self.constant(args, 3)? {
            ScalarValue::IntervalMonthDayNano(Some(gap)) => Some(gap_us(gap)?),
            _ => None,
        };
        Ok(Timeline { interpolation, max_gap_us })
    }

    /// Value of an optional constant argument; null if it is absent.
    fn constant(&self, args: &AccumulatorArgs, at: usize) -> Result<ScalarValue> {
        let Some(expr) = args.exprs.get(at) else { return Ok(ScalarValue::Null) };
        match expr.downcast_ref::<Literal>() {
            Some(literal) => Ok(literal.value().clone()),
            None => {
                let function = self.fold.documented();
                let name = function.arguments[at].name;
                query_err!("{}: {name} must be a constant", function.signature())
            }
        }
    }
}

impl AggregateUDFImpl for Aggregate {
    fn name(&self) -> &str {
        self.fold.documented().name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerced(self.fold.documented(), given)
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        self.fold.documented().gives.data_type()
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[rows]", args.name), state_type(), true))])
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(self.folding(&args)?)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(self.folding(&args)?)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
