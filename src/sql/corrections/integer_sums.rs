//! Sums of integers in 128 bits, with an error if the result exceeds 64; the engine's wrap.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, Expr, ExprSchemable, GroupsAccumulator,
    ReversedUDAF, Signature, Volatility, WindowFunctionDefinition,
};
use datafusion::scalar::ScalarValue;

use crate::error::Fault;
use crate::sql::errors;

const WIDE: DataType = DataType::Decimal128(38, 0);

pub fn checked(mut call: AggregateFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is_wrapping = !call.params.distinct && is_sum(&call.func, &call.params.args, schema);
    if is_wrapping {
        call.func = sum();
    }
    let expr = Expr::AggregateFunction(call);
    Ok(if is_wrapping { Transformed::yes(expr) } else { Transformed::no(expr) })
}

pub fn checked_window(mut call: WindowFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is_wrapping = match &call.fun {
        WindowFunctionDefinition::AggregateUDF(func) => {
            !call.params.distinct && is_sum(func, &call.params.args, schema)
        }
        WindowFunctionDefinition::WindowUDF(_) => false,
    };
    if is_wrapping {
        call.fun = WindowFunctionDefinition::AggregateUDF(sum());
    }
    let expr = Expr::WindowFunction(Box::new(call));
    Ok(if is_wrapping { Transformed::yes(expr) } else { Transformed::no(expr) })
}

fn is_sum(func: &AggregateUDF, args: &[Expr], schema: &DFSchema) -> bool {
    let [summed] = args else { return false };
    func.name() == "sum"
        && !func.inner().is::<Sum>()
        && summed.get_type(schema).is_ok_and(|kind| kind == DataType::Int64)
}

fn sum() -> Arc<AggregateUDF> {
    let signature = Signature::exact(vec![DataType::Int64], Volatility::Immutable);
    Arc::new(AggregateUDF::from(Sum { signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum {
    signature: Signature,
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[sum]", args.name), WIDE, true))])
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Sums::default()))
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Total::default()))
    }
}

fn narrow(sum: i128) -> Result<i64> {
    i64::try_from(sum).map_err(|_| {
        let sentence = format!("bigint out of range: a sum is {sum}; sum a cast to numeric");
        errors::error(Fault::OutOfRange, sentence)
    })
}

/// Sum of each group, and whether it has a value.
#[derive(Debug, Default)]
struct Sums {
    sums: Vec<i128>,
    has_value: Vec<bool>,
}

impl Sums {
    fn add(
        &mut self,
        values: impl Iterator<Item = Option<i128>>,
        group_of: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) {
        self.sums.resize(groups, 0);
        self.has_value.resize(groups, false);
        for (row, (value, &group)) in values.zip(group_of).enumerate() {
            let is_counted = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if let (Some(value), true) = (value, is_counted) {
                self.sums[group] += value;
                self.has_value[group] = true;
            }
        }
    }

    fn take(&mut self, emit_to: EmitTo) -> impl Iterator<Item = Option<i128>> {
        let has_value = emit_to.take_needed(&mut self.has_value);
        let sums = emit_to.take_needed(&mut self.sums);
        sums.into_iter().zip(has_value).map(|(sum, has_value)| has_value.then_some(sum))
    }
}

impl GroupsAccumulator for Sums {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_of: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        let integers = values[0].as_primitive::<Int64Type>();
        if integers.null_count() == 0 && filter.is_none() {
            self.sums.resize(groups, 0);
            self.has_value.resize(groups, false);
            for (&integer, &group) in integers.values().iter().zip(group_of) {
                self.sums[group] += i128::from(integer);
                self.has_value[group] = true;
            }
        } else {
            let integers = integers.iter().map(|integer| integer.map(i128::from));
            self.add(integers, group_of, filter, groups);
        }
        Ok(())
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        group_of: &[usize],
        groups: usize,
    ) -> Result<()> {
        self.add(states[0].as_primitive::<Decimal128Type>().iter(), group_of, None, groups);
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = self.take(emit_to).map(|sum| sum.map(narrow).transpose());
        Ok(Arc::new(sums.collect::<Result<Int64Array>>()?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let sums = self.take(emit_to).collect::<Decimal128Array>();
        Ok(vec![Arc::new(sums.with_precision_and_scale(38, 0)?)])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let integers = values[0].as_primitive::<Int64Type>();
        let is_counted =
            |row| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let states = integers.iter().enumerate();
        let states =
            states.map(|(row, integer)| integer.filter(|_| is_counted(row)).map(i128::from));
        let states = states.collect::<Decimal128Array>().with_precision_and_scale(38, 0)?;
        Ok(vec![Arc::new(states)])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.has_value.capacity()
    }
}

/// Ungrouped sum; rows may be retracted as a frame slides.
#[derive(Debug, Default)]
struct Total {
    sum: i128,
    values: u64,
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, values) = total(&values[0]);
        self.sum += sum;
        self.values += values;
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, values) = total(&values[0]);
        self.sum -= sum;
        self.values -= values;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for sum in states[0].as_primitive::<Decimal128Type>().iter().flatten() {
            self.sum += sum;
            self.values += 1;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = (self.values > 0).then_some(self.sum);
        Ok(vec![ScalarValue::Decimal128(sum, 38, 0)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = (self.values > 0).then(|| narrow(self.sum)).transpose()?;
        Ok(ScalarValue::Int64(sum))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

fn total(column: &ArrayRef) -> (i128, u64) {
    let integers = column.as_primitive::<Int64Type>();
    let values = (integers.len() - integers.null_count()) as u64;
    let sum = match integers.null_count() {
        0 => integers.values().iter().map(|&integer| i128::from(integer)).sum(),
        _ => integers.iter().flatten().map(i128::from).sum(),
    };
    (sum, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::corrections::tests::uncorrected::answer;

    #[test]
    fn a_sum_that_comes_back_into_range_is_answered() {
        let mut sums = Sums::default();
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(i64::MAX), Some(1), None]));
        GroupsAccumulator::update_batch(&mut sums, &[column], &[0, 0, 1], None, 2).unwrap();
        let column: ArrayRef = Arc::new(Int64Array::from(vec![-1]));
        GroupsAccumulator::update_batch(&mut sums, &[column], &[0], None, 2).unwrap();
        let summed = GroupsAccumulator::evaluate(&mut sums, EmitTo::All).unwrap();
        let expected = Int64Array::from(vec![Some(i64::MAX), None]);
        assert_eq!(summed.as_primitive::<Int64Type>(), &expected);
    }

    #[test]
    fn a_sum_out_of_range_is_an_error() {
        let mut total = Total::default();
        let column: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, 1]));
        total.update_batch(&[column]).unwrap();
        assert!(total.evaluate().is_err());
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        total.retract_batch(&[column]).unwrap();
        assert_eq!(total.evaluate().unwrap(), ScalarValue::Int64(Some(i64::MAX)));
    }

    /// When this fails, remove [`Sum`].
    #[test]
    fn the_engines_sum_still_wraps() {
        let wrapped = answer("SELECT sum(x) FROM (VALUES (9223372036854775807), (1)) AS t(x)");
        assert_eq!(wrapped.as_deref(), Ok("-9223372036854775808"));
    }
}
