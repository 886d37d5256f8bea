//! `max`, `min`, `greatest` and `least` of intervals, by length.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, IntervalMonthDayNanoArray};
use arrow::datatypes::{DataType, Field, FieldRef, IntervalMonthDayNano};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Expr, ReversedUDAF,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::interval::{MONTH_DAY_NANO, by_columns, intervals, length_ns};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Chosen {
    Longest,
    Shortest,
}

impl Chosen {
    /// Returns whether a length precedes another.
    fn is_before(self, length: i128, other: i128) -> bool {
        match self {
            Self::Longest => length > other,
            Self::Shortest => length < other,
        }
    }
}

/// `max` or `min` of intervals.
pub fn extreme(chosen: Chosen) -> Arc<AggregateUDF> {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(AggregateUDF::from(Extreme { chosen, signature }))
}

/// `greatest` or `least` of intervals; nulls are ignored.
pub fn extreme_of(chosen: Chosen, args: Vec<Expr>) -> Expr {
    let signature = Signature::variadic_any(Volatility::Immutable);
    ScalarUDF::from(ExtremeOf { chosen, signature }).call(args)
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Extreme {
    chosen: Chosen,
    signature: Signature,
}

impl AggregateUDFImpl for Extreme {
    fn name(&self) -> &str {
        match self.chosen {
            Chosen::Longest => "max",
            Chosen::Shortest => "min",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(MONTH_DAY_NANO)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[chosen]", args.name), MONTH_DAY_NANO, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Best { chosen: self.chosen, best: None }))
    }

    fn create_sliding_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Frame { chosen: self.chosen, held: BTreeMap::new() }))
    }
}

/// The first of the best intervals so far.
#[derive(Debug)]
struct Best {
    chosen: Chosen,
    best: Option<(i128, IntervalMonthDayNano)>,
}

impl Accumulator for Best {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for interval in intervals(&values[0])?.into_iter().flatten() {
            let length = length_ns(interval);
            if self.best.is_none_or(|(best, _)| self.chosen.is_before(length, best)) {
                self.best = Some((length, interval));
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::IntervalMonthDayNano(self.best.map(|(_, interval)| interval)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// Intervals of a sliding frame by length, each length with the number of its intervals.
#[derive(Debug)]
struct Frame {
    chosen: Chosen,
    held: BTreeMap<i128, (usize, IntervalMonthDayNano)>,
}

impl Accumulator for Frame {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for interval in intervals(&values[0])?.into_iter().flatten() {
            self.held.entry(length_ns(interval)).or_insert((0, interval)).0 += 1;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for interval in intervals(&values[0])?.into_iter().flatten() {
            let length = length_ns(interval);
            if let Some((held, _)) = self.held.get_mut(&length) {
                *held -= 1;
                if *held == 0 {
                    self.held.remove(&length);
                }
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let best = match self.chosen {
            Chosen::Longest => self.held.last_key_value(),
            Chosen::Shortest => self.held.first_key_value(),
        };
        Ok(ScalarValue::IntervalMonthDayNano(best.map(|(_, (_, interval))| *interval)))
    }

    fn size(&self) -> usize {
        // Estimated size of an entry, including its share of a tree node.
        size_of_val(self) + self.held.len() * 64
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ExtremeOf {
    chosen: Chosen,
    signature: Signature,
}

impl ScalarUDFImpl for ExtremeOf {
    fn name(&self) -> &str {
        match self.chosen {
            Chosen::Longest => "longest",
            Chosen::Shortest => "shortest",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(MONTH_DAY_NANO)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        by_columns(&args, |columns| {
            let columns = columns.iter().map(intervals_or_text).collect::<Result<Vec<_>>>()?;
            let rows = columns.first().map_or(0, Vec::len);
            let chosen = (0..rows).map(|row| {
                let given = columns.iter().filter_map(|column| column[row]);
                given.reduce(|best, interval| {
                    match self.chosen.is_before(length_ns(interval), length_ns(best)) {
                        true => interval,
                        false => best,
                    }
                })
            });
            Ok(Arc::new(chosen.collect::<IntervalMonthDayNanoArray>()) as ArrayRef)
        })
    }
}

/// Texts can only be constants here.
fn intervals_or_text(column: &ArrayRef) -> Result<Vec<Option<IntervalMonthDayNano>>> {
    use arrow::array::AsArray;
    if column.data_type().is_string() {
        let texts = arrow::compute::cast(column, &DataType::Utf8)?;
        let read = |text: &str| super::interval_literals::read(text);
        return texts.as_string::<i32>().iter().map(|text| text.map(read).transpose()).collect();
    }
    intervals(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_forgets_what_it_leaves() {
        let of =
            |days: i32, hours: i64| IntervalMonthDayNano::new(0, days, hours * 3_600_000_000_000);
        let column = |rows: Vec<IntervalMonthDayNano>| {
            vec![Arc::new(IntervalMonthDayNanoArray::from(rows)) as ArrayRef]
        };
        let mut frame = Frame { chosen: Chosen::Longest, held: BTreeMap::new() };
        frame.update_batch(&column(vec![of(1, 0), of(0, 25), of(1, 1)])).unwrap();
        let longest = |frame: &mut Frame| frame.evaluate().unwrap();
        assert_eq!(longest(&mut frame), ScalarValue::IntervalMonthDayNano(Some(of(0, 25))));
        frame.retract_batch(&column(vec![of(0, 25), of(1, 1)])).unwrap();
        assert_eq!(longest(&mut frame), ScalarValue::IntervalMonthDayNano(Some(of(1, 0))));
        frame.retract_batch(&column(vec![of(1, 0)])).unwrap();
        assert_eq!(longest(&mut frame), ScalarValue::IntervalMonthDayNano(None));
    }
}
