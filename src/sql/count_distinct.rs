//! `count(DISTINCT n)` of 32-bit integers, such as store numbers, by roaring bitmaps. DataFusion's
//! own plan first makes a group of every distinct value (apache/datafusion#15850). Remove this if
//! its distinct accumulators become as fast.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, Expr, ExprSchemable, GroupsAccumulator,
    LogicalPlan, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use roaring::RoaringBitmap;

use super::plan_rule::rewrite_expressions;
use crate::error::broken;

/// Replaces `count(DISTINCT n)` by [`CountDistinct`].
pub fn count_distinct_by_bitmaps(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if !matches!(plan, LogicalPlan::Aggregate(_)) {
        return Ok(Transformed::no(plan));
    }
    rewrite_expressions(plan, |expr, schema| {
        expr.transform_up(|expr| match expr {
            Expr::AggregateFunction(call) if counts_integers(&call, schema)? => {
                Ok(Transformed::yes(by_bitmaps(call)))
            }
            expr => Ok(Transformed::no(expr)),
        })
    })
}

fn counts_integers(
    AggregateFunction { func, params }: &AggregateFunction,
    schema: &datafusion::common::DFSchema,
) -> Result<bool> {
    let [counted] = params.args.as_slice() else { return Ok(false) };
    let is_count = func.name() == "count" && params.distinct && params.order_by.is_empty();
    Ok(is_count && counted.get_type(schema)? == DataType::Int32)
}

fn by_bitmaps(call: AggregateFunction) -> Expr {
    let params = AggregateFunctionParams { distinct: false, ..call.params };
    let func = Arc::new(AggregateUDF::from(CountDistinct::new()));
    Expr::AggregateFunction(AggregateFunction { func, params })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CountDistinct {
    signature: Signature,
}

impl CountDistinct {
    fn new() -> Self {
        Self { signature: Signature::exact(vec![DataType::Int32], Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for CountDistinct {
    fn name(&self) -> &str {
        "count_distinct"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, _: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(0)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[seen]", args.name), DataType::Binary, false))])
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(DistinctIntegers::default()))
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(DistinctIntegers::default()))
    }
}

/// Distinct integers of each group.
#[derive(Debug, Default)]
struct DistinctIntegers {
    groups: Vec<RoaringBitmap>,
    /// Sum over all groups.
    integers: usize,
}

impl DistinctIntegers {
    fn grow(&mut self, groups: usize) {
        if self.groups.len() < groups {
            self.groups.resize_with(groups, RoaringBitmap::new);
        }
    }

    fn insert(&mut self, group: usize, integer: i32) {
        self.integers += usize::from(self.groups[group].insert(integer as u32));
    }

    fn merge(&mut self, group: usize, bytes: &[u8]) -> Result<()> {
        let seen = RoaringBitmap::deserialize_from(bytes)
            .map_err(|error| broken(format!("a state of count(DISTINCT) is broken: {error}")))?;
        self.integers += seen.len() as usize;
        self.groups[group] |= seen;
        Ok(())
    }

    fn bytes(seen: &RoaringBitmap) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(seen.serialized_size());
        seen.serialize_into(&mut bytes)?;
        Ok(bytes)
    }

    fn size_bytes(&self) -> usize {
        // Upper bound: an integer takes at most four bytes in a bitmap.
        self.groups.capacity() * size_of::<RoaringBitmap>() + self.integers * size_of::<i32>()
    }
}

impl GroupsAccumulator for DistinctIntegers {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_of: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.grow(groups);
        let integers = values[0].as_primitive::<Int32Type>();
        let counts = |row| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        for (row, &group) in group_of.iter().enumerate() {
            if integers.is_valid(row) && counts(row) {
                self.insert(group, integers.value(row));
            }
        }
        Ok(())
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        group_of: &[usize],
        groups: usize,
    ) -> Result<()> {
        self.grow(groups);
        let states = states[0].as_binary::<i32>();
        group_of
            .iter()
            .enumerate()
            .try_for_each(|(row, &group)| self.merge(group, states.value(row)))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let seen = emit_to.take_needed(&mut self.groups);
        Ok(Arc::new(seen.iter().map(|seen| Some(seen.len() as i64)).collect::<Int64Array>()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let seen = emit_to.take_needed(&mut self.groups);
        let states = seen.iter().map(Self::bytes).collect::<Result<Vec<_>>>()?;
        Ok(vec![Arc::new(BinaryArray::from_iter_values(states))])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let rows = values[0].len();
        let mut alone = Self::default();
        GroupsAccumulator::update_batch(
            &mut alone,
            values,
            &(0..rows).collect::<Vec<_>>(),
            filter,
            rows,
        )?;
        GroupsAccumulator::state(&mut alone, EmitTo::All)
    }

    fn size(&self) -> usize {
        self.size_bytes()
    }
}

/// Ungrouped accumulator: all rows belong to group 0. State is kept across evaluations, as a window
/// evaluates after each row.
impl Accumulator for DistinctIntegers {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.grow(1);
        values[0]
            .as_primitive::<Int32Type>()
            .iter()
            .flatten()
            .for_each(|integer| self.insert(0, integer));
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.grow(1);
        states[0].as_binary::<i32>().iter().flatten().try_for_each(|bytes| self.merge(0, bytes))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let seen = self.groups.first().map_or(0, RoaringBitmap::len);
        Ok(ScalarValue::Int64(Some(seen as i64)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.grow(1);
        Ok(vec![ScalarValue::Binary(Some(Self::bytes(&self.groups[0])?))])
    }

    fn size(&self) -> usize {
        self.size_bytes()
    }
}
