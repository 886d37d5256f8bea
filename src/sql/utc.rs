//! `date_trunc` of instants in UTC, whose local time is the instant itself: cut by arithmetic, where
//! DataFusion would ask the rules of the zone, row by row.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, FieldRef, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use datafusion::common::Result;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};
use datafusion::scalar::ScalarValue;

/// As the function that it stands for, but for how it comes by the result.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct DateTrunc(pub Arc<ScalarUDF>);

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn aliases(&self) -> &[String] {
        self.0.aliases()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        self.0.coerce_types(given)
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        self.0.return_type(given)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.0.return_field_from_args(args)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(DataType::Timestamp(unit, Some(zone))) =
            args.args.get(1).map(ColumnarValue::data_type)
        else {
            return self.0.invoke_with_args(args);
        };
        let is_fast = matches!(unit, TimeUnit::Microsecond | TimeUnit::Nanosecond);
        if !(is_fast && matches!(&*zone, "UTC" | "+00:00")) {
            return self.0.invoke_with_args(args);
        }
        args.args[1] = in_zone(&args.args[1], None);
        args.return_field = Arc::new(
            args.return_field.as_ref().clone().with_data_type(DataType::Timestamp(unit, None)),
        );
        self.0.invoke_with_args(args).map(|cut| in_zone(&cut, Some(zone)))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.0.simplify(args, info)
    }

    fn preimage(
        &self,
        args: &[Expr],
        cut: &Expr,
        info: &SimplifyContext,
    ) -> Result<PreimageResult> {
        self.0.preimage(args, cut, info)
    }

    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        self.0.evaluate_bounds(input)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.0.output_ordering(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.0.documentation()
    }
}

/// The same instants, called those of the zone.
fn in_zone(value: &ColumnarValue, zone: Option<Arc<str>>) -> ColumnarValue {
    match value {
        ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(at, _)) => {
            ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(*at, zone))
        }
        ColumnarValue::Scalar(ScalarValue::TimestampNanosecond(at, _)) => {
            ColumnarValue::Scalar(ScalarValue::TimestampNanosecond(*at, zone))
        }
        ColumnarValue::Array(column) => ColumnarValue::Array(match column.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let instants = column.as_primitive::<TimestampMicrosecondType>().clone();
                Arc::new(instants.with_timezone_opt(zone))
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                let instants = column.as_primitive::<TimestampNanosecondType>().clone();
                Arc::new(instants.with_timezone_opt(zone))
            }
            _ => Arc::clone(column),
        }),
        other => other.clone(),
    }
}
