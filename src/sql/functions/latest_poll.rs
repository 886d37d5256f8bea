//! `latest_poll()`: the latest poll of all stores, which is *now* where nothing else is asked.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::super::function_docs::LATEST_POLL;

/// The same throughout a session, so that it stands wherever a constant is asked for.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct LatestPoll {
    at: Option<i64>,
    signature: Signature,
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| LATEST_POLL.documentation());

impl LatestPoll {
    /// Microseconds UTC; null where there is no poll.
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
        Ok(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let zone = Some(Arc::from("UTC"));
        Ok(ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(self.at, zone)))
    }
}
