//! `avg` of intervals: their sum divided by their count. The engine averages durations only.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF,
    Signature, TypeSignature,
};
use datafusion::logical_expr_common::signature::{Coercion, TypeSignatureClass};
use datafusion::scalar::ScalarValue;
use delegate::delegate;

use super::arithmetic::divided;
use super::interval::{MONTH_DAY_NANO, intervals};
use crate::error::Fault;
use crate::sql::errors;

/// The engine's function, extended to intervals.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Average {
    of_numbers: Arc<AggregateUDF>,
    signature: Signature,
}

impl Average {
    pub fn new(of_numbers: Arc<AggregateUDF>) -> Self {
        let interval = Coercion::new_exact(TypeSignatureClass::Interval);
        let mut signature = of_numbers.signature().clone();
        signature.type_signature = TypeSignature::OneOf(vec![
            signature.type_signature,
            TypeSignature::Coercible(vec![interval]),
        ]);
        Self { of_numbers, signature }
    }
}

fn is_interval_average(kind: &DataType) -> bool {
    matches!(kind, DataType::Interval(_))
}

fn refused_distinct() -> datafusion::error::DataFusionError {
    let sentence = "avg(DISTINCT …) of intervals is not supported; take their distinct values in a \
         subquery";
    errors::error(Fault::NotSupported, sentence)
}

impl AggregateUDFImpl for Average {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given {
            [kind] if is_interval_average(kind) => Ok(MONTH_DAY_NANO),
            given => self.of_numbers.return_type(given),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if !is_interval_average(args.input_fields[0].data_type()) {
            return self.of_numbers.state_fields(args);
        }
        let field =
            |name: &str, kind| Arc::new(Field::new(format!("{}[{name}]", args.name), kind, true));
        let months = ["months", "days", "microseconds", "count"];
        Ok(months.map(|name| field(name, DataType::Int64)).to_vec())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if !is_interval_average(args.expr_fields[0].data_type()) {
            return self.of_numbers.accumulator(args);
        }
        match args.is_distinct {
            true => Err(refused_distinct()),
            false => Ok(Box::new(Mean::default())),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match is_interval_average(args.expr_fields[0].data_type()) {
            true => self.accumulator(args),
            false => self.of_numbers.create_sliding_accumulator(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !is_interval_average(args.expr_fields[0].data_type())
            && self.of_numbers.groups_accumulator_supported(args)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    delegate! {
        to self.of_numbers {
            fn name(&self) -> &str;
            fn aliases(&self) -> &[String];
            fn create_groups_accumulator(
                &self,
                args: AccumulatorArgs,
            ) -> Result<Box<dyn GroupsAccumulator>>;
            fn order_sensitivity(&self) -> AggregateOrderSensitivity;
            fn documentation(&self) -> Option<&Documentation>;
        }
    }
}

/// Sums of months, days and microseconds, and the number of intervals.
#[derive(Debug, Default)]
struct Mean([i64; 4]);

impl Mean {
    fn add(&mut self, others: [i64; 4], sign: i64) -> Result<()> {
        for (sum, other) in self.0.iter_mut().zip(others) {
            let added = other.checked_mul(sign).and_then(|other| sum.checked_add(other));
            *sum =
                added.ok_or_else(|| errors::error(Fault::OutOfRange, "interval out of range"))?;
        }
        Ok(())
    }

    fn add_all(&mut self, column: &ArrayRef, sign: i64) -> Result<()> {
        intervals(column)?.into_iter().flatten().try_for_each(|of| {
            let time_us = of.nanoseconds / 1_000;
            self.add([i64::from(of.months), i64::from(of.days), time_us, 1], sign)
        })
    }
}

impl Accumulator for Mean {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add_all(&values[0], 1)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add_all(&values[0], -1)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let states: Vec<_> = states.iter().map(|s| s.as_primitive::<Int64Type>()).collect();
        (0..states[0].len())
            .try_for_each(|row| self.add([0, 1, 2, 3].map(|part| states[part].value(row)), 1))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(self.0.map(|sum| ScalarValue::Int64(Some(sum))).to_vec())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let [months, days, time_us, count] = self.0;
        if count == 0 {
            return Ok(ScalarValue::IntervalMonthDayNano(None));
        }
        let mean = divided(months as f64, days as f64, time_us as f64, count as f64)?;
        Ok(ScalarValue::IntervalMonthDayNano(Some(mean)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::corrections::tests::uncorrected::answer;

    /// When this fails, remove this file.
    #[test]
    fn the_engine_still_has_no_average_of_intervals() {
        assert!(answer("SELECT avg(x) FROM (VALUES (INTERVAL '1 day')) AS t(x)").is_err());
    }
}
