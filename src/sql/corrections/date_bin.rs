//! Refuses `date_bin` by months, as PostgreSQL does: months differ in length. The engine bins by
//! calendar months, ignoring the origin.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, IntervalMonthDayNanoType};
use datafusion::error::Result;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use delegate::delegate;

use super::interval::MONTH_DAY_NANO;
use crate::error::Fault;
use crate::sql::errors;

/// The engine's function, without intervals that have months.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct DateBin(pub Arc<ScalarUDF>);

impl ScalarUDFImpl for DateBin {
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let steps = args.args[0].to_array(args.number_rows)?;
        let has_months = steps.data_type() == &MONTH_DAY_NANO
            && steps
                .as_primitive::<IntervalMonthDayNanoType>()
                .iter()
                .flatten()
                .any(|step| step.months != 0);
        if has_months {
            let sentence = "date_bin takes no interval with months or years, as they differ in \
                 length; expected days or less, or date_trunc";
            return Err(errors::error(Fault::NotSupported, sentence));
        }
        self.0.invoke_with_args(args)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.0.inner().output_ordering(inputs)
    }

    delegate! {
        to self.0 {
            fn name(&self) -> &str;
            fn aliases(&self) -> &[String];
            fn signature(&self) -> &Signature;
            fn return_type(&self, given: &[DataType]) -> Result<DataType>;
            fn documentation(&self) -> Option<&Documentation>;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::corrections::tests::uncorrected::answer;

    /// When this fails, remove this file.
    #[test]
    fn the_engine_still_bins_by_months() {
        let bin = "SELECT date_bin('1 month', TIMESTAMP '2023-01-24', TIMESTAMP '2001-01-15')";
        assert!(answer(bin).is_ok());
    }
}
