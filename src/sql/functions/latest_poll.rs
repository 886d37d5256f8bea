//! `latest_poll()`: instant of the latest poll of all stores, the default *now*.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::super::function_docs::LATEST_POLL;
use crate::functions::instants::instant_type;

/// Constant within a session, so that it may stand where a constant is required.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct LatestPoll {
    at: Option<i64>,
    signature: Signature,
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| LATEST_POLL.documentation());

impl LatestPoll {
    /// Microseconds UTC; null if there are no polls.
    pub fn new(at: Option<i64>) -> Self {
        Self { at, signature: Signature::nullary(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for LatestPoll {
    fn name(&self) -> &str {
        "latest_poll"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(instant_type())
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let zone = Some(Arc::from("UTC"));
        Ok(ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(self.at, zone)))
    }
}
