//! The days that a range whose start is a parameter has to read.

use std::sync::Arc;

use arrow::array::{AsArray, Date32Array};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::engine::first_day_to_read;
use crate::rules::calendar::day_of;

/// `first_day_to_read(from)`, as [`first_day_to_read`] says it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct FirstDay {
    polled: Arc<[i64]>,
    signature: Signature,
}

/// The first day to read of the days polled, for an instant that is not known yet.
pub fn first_day(polled: &Arc<[i64]>, from: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    let function = FirstDay { polled: Arc::clone(polled), signature };
    ScalarUDF::from(function).call(vec![from])
}

impl ScalarUDFImpl for FirstDay {
    fn name(&self) -> &str {
        "first_day_to_read"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Date32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let instants = columns[0].as_primitive::<TimestampMicrosecondType>();
        let day = |at: i64| {
            let day = first_day_to_read(self.polled.iter().copied(), day_of(at));
            i32::try_from(day).unwrap_or(i32::MAX)
        };
        let days: Date32Array = instants.iter().map(|at| at.map(day)).collect();
        Ok(ColumnarValue::Array(Arc::new(days)))
    }
}
