//! `now()` and `localtimestamp`: the start of the query, in the type of the columns.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::super::encoding::lists::instant_type;
use super::LOCAL_TIME;

/// Constant throughout a query.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Now {
    name: &'static str,
    aliases: Vec<String>,
    returns: DataType,
    signature: Signature,
}

impl Now {
    pub fn instant() -> Self {
        let others = [
            "current_timestamp",
            "transaction_timestamp",
            "statement_timestamp",
            "clock_timestamp",
        ];
        Self::new("now", others.map(str::to_owned).to_vec(), instant_type())
    }

    /// Start of the query as a local time in UTC.
    pub fn local_time() -> Self {
        Self::new("localtimestamp", Vec::new(), LOCAL_TIME)
    }

    fn new(name: &'static str, aliases: Vec<String>, returns: DataType) -> Self {
        Self { name, aliases, returns, signature: Signature::nullary(Volatility::Stable) }
    }
}

impl ScalarUDFImpl for Now {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name, self.returns.clone(), false)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("{} is known only once a query runs", self.name)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let Some(began_at) = info.query_execution_start_time() else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let zone = match &self.returns {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        };
        let began_at = Some(began_at.timestamp_micros());
        let now = ScalarValue::TimestampMicrosecond(began_at, zone);
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(now, None)))
    }
}
