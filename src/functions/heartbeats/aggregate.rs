//! `heartbeat_agg`: folds instants into the live spans of a range.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, IntervalMonthDayNanoType};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::instants;
use crate::error::query_err;
use crate::functions::arguments::positive_us;
use crate::functions::coercion::coerced;
use crate::functions::documented::HEARTBEAT_AGG;
use crate::functions::durations::end_of;
use crate::functions::encoding::heartbeats::{HeartbeatBuilder, HeartbeatColumn};
use crate::functions::encoding::integer_lists::{
    IntegerLists, integer_list_type, integer_list_value,
};
use crate::rules::calendar::instant_text;
use crate::rules::heartbeat::Heartbeats;
use crate::rules::{Span, Spans};

/// `AggregateUDFImpl` of `heartbeat_agg`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct HeartbeatAgg {
    signature: Signature,
    documentation: Documentation,
}

impl Default for HeartbeatAgg {
    fn default() -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { signature, documentation: HEARTBEAT_AGG.documentation() }
    }
}

impl AggregateUDFImpl for HeartbeatAgg {
    fn name(&self) -> &str {
        HEARTBEAT_AGG.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerced(&HEARTBEAT_AGG, given)
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        HEARTBEAT_AGG.gives.data_type()
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[live]", args.name), integer_list_type(), true))])
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(HeartbeatAccumulator::default()))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// Spans in any order, merged from time to time.
#[derive(Debug, Default)]
struct LiveSpans {
    spans: Vec<Span>,
    /// Number of spans after the last merge.
    united: usize,
}

impl LiveSpans {
    /// Smallest number of spans that is worth merging.
    const UNITED_FROM: usize = 1_024;

    fn add(&mut self, span: Option<Span>) {
        let Some(span) = span else { return };
        if let Some(last) = self.spans.last_mut()
            && (last.starts_at()..=last.ends_at()).contains(&span.starts_at())
        {
            let ends_at = last.ends_at().max(span.ends_at());
            *last = Span::new(last.starts_at(), ends_at).unwrap_or(span);
            return;
        }
        self.spans.push(span);
        if self.spans.len() >= Self::UNITED_FROM.max(2 * self.united) {
            self.spans = Spans::union(std::mem::take(&mut self.spans)).to_vec();
            self.united = self.spans.len();
        }
    }

    /// Adds spans encoded by [`Self::numbers`].
    fn add_numbers(&mut self, numbers: &[i64]) {
        numbers.chunks_exact(2).for_each(|ends| self.add(Span::new(ends[0], ends[1])));
    }

    fn numbers(&self) -> impl Iterator<Item = i64> {
        self.spans.iter().flat_map(|span| [span.starts_at(), span.ends_at()])
    }

    fn within(&self, range: Span) -> Heartbeats {
        Heartbeats { range, live: Spans::union(self.spans.clone()) }
    }

    fn size_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<Span>()
    }
}

/// Heartbeats as a value; null for `None`.
fn value_of(beats: Option<Heartbeats>) -> Result<ScalarValue> {
    let mut built = HeartbeatBuilder::with_capacity(1);
    built.push(beats.as_ref());
    ScalarValue::try_from_array(&built.finish()?, 0)
}

/// Accumulator of the heartbeats of a group.
#[derive(Debug, Default)]
struct HeartbeatAccumulator {
    asked: Option<GroupArguments>,
    live: LiveSpans,
}

/// Arguments that must be equal for all rows of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct GroupArguments {
    range: Span,
    liveness_us: i64,
}

impl HeartbeatAccumulator {
    fn ask(&mut self, asked: GroupArguments) -> Result<()> {
        match self.asked.replace(asked) {
            Some(before) if before != asked => query_err!(
                "heartbeat_agg: the start, the duration and the liveness must be the same for all \
                 rows of a group; group by them"
            ),
            _ => Ok(()),
        }
    }

    fn hear(&mut self, at: i64, asked: GroupArguments) -> Result<()> {
        let GroupArguments { range, liveness_us } = asked;
        if !(range.starts_at()..range.ends_at()).contains(&at) {
            return query_err!(
                "heartbeat_agg: the heartbeat at {} is not within the range from {} to {}; leave \
                 it out with WHERE or FILTER",
                instant_text(at),
                instant_text(range.starts_at()),
                instant_text(range.ends_at())
            );
        }
        self.live.add(Span::new(at, at.saturating_add(liveness_us)));
        Ok(())
    }
}

impl Accumulator for HeartbeatAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [beats, starts] = [&values[0], &values[1]].map(instants);
        let [durations, livenesses] = [&values[2], &values[3]]
            .map(|column| column.as_primitive::<IntervalMonthDayNanoType>());
        let mut last = None;
        for row in 0..beats.len() {
            if values.iter().any(|column| column.is_null(row)) {
                continue;
            }
            let given = (starts.value(row), durations.value(row), livenesses.value(row));
            let asked = match last {
                Some((before, asked)) if before == given => asked,
                _ => {
                    let (starts_at, duration, liveness) = given;
                    let liveness_us = positive_us("liveness", liveness)?;
                    let ends_at = end_of(starts_at, duration)?;
                    let Some(range) = Span::new(starts_at, ends_at) else {
                        return query_err!("heartbeat_agg: the duration is not positive");
                    };
                    let asked = GroupArguments { range, liveness_us };
                    self.ask(asked)?;
                    last = Some((given, asked));
                    asked
                }
            };
            self.hear(beats.value(row), asked)?;
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = IntegerLists::new(&states[0]);
        for row in 0..states[0].len() {
            let [starts_at, ends_at, liveness_us, live @ ..] = lists.row(row) else { continue };
            let Some(range) = Span::new(*starts_at, *ends_at) else { continue };
            self.ask(GroupArguments { range, liveness_us: *liveness_us })?;
            self.live.add_numbers(live);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut state = Vec::new();
        if let Some(GroupArguments { range, liveness_us }) = self.asked {
            state.extend([range.starts_at(), range.ends_at(), liveness_us]);
            state.extend(self.live.numbers());
        }
        Ok(vec![integer_list_value(state)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        value_of(self.asked.map(|asked| self.live.within(asked.range)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.live.size_bytes()
    }
}

/// Accumulator of heartbeats with several ranges; the range of the result spans all of them.
#[derive(Debug, Default)]
pub struct RolledHeartbeats {
    range: Option<Span>,
    live: LiveSpans,
}

impl RolledHeartbeats {
    fn widen(&mut self, range: Span) {
        let before = self.range.unwrap_or(range);
        let starts_at = before.starts_at().min(range.starts_at());
        self.range = Span::new(starts_at, before.ends_at().max(range.ends_at()));
    }
}

impl Accumulator for RolledHeartbeats {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let beats = HeartbeatColumn::new(&values[0]);
        for beats in (0..values[0].len()).filter_map(|row| beats.read(row)) {
            self.widen(beats.range);
            beats.live.iter().for_each(|span| self.live.add(Some(*span)));
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = IntegerLists::new(&states[0]);
        for row in 0..states[0].len() {
            let [starts_at, ends_at, live @ ..] = lists.row(row) else { continue };
            Span::new(*starts_at, *ends_at).into_iter().for_each(|range| self.widen(range));
            self.live.add_numbers(live);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut state = Vec::new();
        if let Some(range) = self.range {
            state.extend([range.starts_at(), range.ends_at()]);
            state.extend(self.live.numbers());
        }
        Ok(vec![integer_list_value(state)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        value_of(self.range.map(|range| self.live.within(range)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.live.size_bytes()
    }
}
