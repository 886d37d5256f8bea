//! `coalesce` of a time and a text: the text is parsed as a time, as beside a time anywhere else.
//!
//! Upstream: `try_type_union_resolution` finds no common type, as of 55.2.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};
use delegate::delegate;

/// The engine's function, extended to types without a common type.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Coalesce(pub Arc<ScalarUDF>);

fn is_time(of: &DataType) -> bool {
    use DataType::{Date32, Date64, Null, Timestamp};
    matches!(of, Date32 | Date64 | Timestamp(..) | Null)
}

impl ScalarUDFImpl for Coalesce {
    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let times: Vec<_> = given.iter().filter(|of| !of.is_string()).cloned().collect();
        let has_text = times.len() < given.len();
        let has_time = times.iter().any(|of| !of.is_null());
        if !(has_text && has_time && times.iter().all(is_time)) {
            return self.0.coerce_types(given);
        }
        let shared = self.0.coerce_types(&times)?.swap_remove(0);
        Ok(vec![shared; given.len()])
    }

    delegate! {
        to self.0 {
            fn name(&self) -> &str;
            fn aliases(&self) -> &[String];
            fn signature(&self) -> &Signature;
            fn return_type(&self, given: &[DataType]) -> Result<DataType>;
            fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef>;
            fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue>;
            fn simplify(
                &self,
                args: Vec<Expr>,
                info: &SimplifyContext,
            ) -> Result<ExprSimplifyResult>;
            fn short_circuits(&self) -> bool;
            fn conditional_arguments<'a>(
                &self,
                args: &'a [Expr],
            ) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)>;
            fn documentation(&self) -> Option<&Documentation>;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::corrections::tests::uncorrected::answer;

    /// When this fails, remove this file.
    #[test]
    fn the_engine_still_takes_no_text_beside_a_time() {
        assert!(answer("SELECT coalesce(now(), '2023-01-01')").is_err());
    }
}
