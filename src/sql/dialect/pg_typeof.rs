//! `pg_typeof` of PostgreSQL, which the engine lacks.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, DocSection, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::prelude::SessionContext;

use crate::sql::errors;

pub fn register(session: &SessionContext) {
    session.register_udf(ScalarUDF::from(PgTypeof(Signature::any(1, Volatility::Immutable))));
}

/// Name of the argument's type, as PostgreSQL clients see it; the same for every row.
#[derive(Debug, PartialEq, Eq, Hash)]
struct PgTypeof(Signature);

impl ScalarUDFImpl for PgTypeof {
    fn name(&self) -> &str {
        "pg_typeof"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let name = args.arg_fields.first().map(|field| errors::sql_type_name(field.data_type()));
        Ok(ColumnarValue::Scalar(ScalarValue::Utf8(name)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
            const SECTION: DocSection =
                DocSection { include: true, label: "Types", description: None };
            let summary = "Name of the type of a value, as PostgreSQL has it: 'integer', 'text', \
                           'double precision', 'timestamp with time zone'; 'unknown' for a bare NULL.";
            Documentation::builder(SECTION, summary, "pg_typeof(value)")
                .with_argument("value", "a value of any type, which may be null")
                .with_sql_example("SELECT pg_typeof(latest_poll());")
                .build()
        });
        Some(&DOCUMENTATION)
    }
}
