//! `rollup`: combines timelines of disjoint parts of time, or heartbeats of several ranges.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::coercion::coerced;
use super::documented::ROLLUP;
use super::encoding::integer_lists::{IntegerLists, integer_list_type, integer_list_value};
use super::encoding::lists::{ListColumn, TimelineBuilder};
use super::heartbeats::RolledHeartbeats;
use crate::error::query_err;
use crate::rules::Step;
use crate::rules::calendar::instant_text;
use crate::rules::rollup::roll_up;

/// `AggregateUDFImpl` of `rollup`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Rollup {
    signature: Signature,
    documentation: Documentation,
}

impl Default for Rollup {
    fn default() -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { signature, documentation: ROLLUP.documentation() }
    }
}

impl AggregateUDFImpl for Rollup {
    fn name(&self) -> &str {
        ROLLUP.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerced(&ROLLUP, given)
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(coerced(&ROLLUP, given)?.remove(0))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[parts]", args.name), integer_list_type(), true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(match args.return_field.data_type() {
            DataType::Struct(_) => Box::new(RolledHeartbeats::default()),
            _ => Box::new(RolledTimelines::default()),
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// Concatenated timelines, each encoded as the number of its steps and two integers per step.
#[derive(Debug, Default)]
struct RolledTimelines {
    packed: Vec<i64>,
}

/// States by their encoding.
const STATES: [Option<bool>; 3] = [None, Some(false), Some(true)];

impl RolledTimelines {
    fn add(&mut self, steps: &[Step]) {
        self.packed.push(steps.len() as i64);
        for step in steps {
            let state = STATES.iter().position(|state| *state == step.active);
            self.packed.extend([step.starts_at, state.unwrap_or_default() as i64]);
        }
    }

    fn timelines(&self) -> Vec<Vec<Step>> {
        let (mut timelines, mut rest) = (Vec::new(), &self.packed[..]);
        while let Some((steps, after)) = rest.split_first() {
            let (steps, after) = after.split_at((*steps as usize * 2).min(after.len()));
            let step = |step: &[i64]| {
                let active = STATES.get(step[1] as usize).copied().flatten();
                Step { starts_at: step[0], active }
            };
            timelines.push(steps.chunks_exact(2).map(step).collect());
            rest = after;
        }
        timelines
    }
}

impl Accumulator for RolledTimelines {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (lists, mut steps) = (ListColumn::new(&values[0]), Vec::new());
        for row in (0..values[0].len()).filter(|row| !lists.is_null(*row)) {
            lists.read_steps(row, Step::EVER, &mut steps);
            self.add(&steps);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = IntegerLists::new(&states[0]);
        (0..states[0].len()).for_each(|row| self.packed.extend(lists.row(row)));
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![integer_list_value(self.packed.clone())])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let timelines = self.timelines();
        let steps = match roll_up(&timelines) {
            Ok(steps) => steps,
            Err(overlap) => {
                return query_err!(
                    "rollup: two timelines have a state at {}; fold the polls of both with one \
                     state_agg, or combine the timelines with timeline_and or timeline_or",
                    instant_text(overlap.at)
                );
            }
        };
        let mut made = TimelineBuilder::default();
        made.push((!timelines.is_empty()).then_some(&steps));
        ScalarValue::try_from_array(&made.finish()?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.packed.capacity() * size_of::<i64>()
    }
}
