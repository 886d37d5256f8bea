//! PostgreSQL functions with constant results.

use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

use super::super::settings;

/// Privilege and visibility checks: everything is visible and readable.
const TRUE: &[&str] = &[
    "has_column_privilege",
    "has_function_privilege",
    "has_sequence_privilege",
    "has_type_privilege",
    "pg_collation_is_visible",
    "pg_conversion_is_visible",
    "pg_function_is_visible",
    "pg_has_role",
    "pg_opclass_is_visible",
    "pg_operator_is_visible",
    "pg_opfamily_is_visible",
    "pg_statistics_obj_is_visible",
    "pg_ts_config_is_visible",
    "pg_ts_dict_is_visible",
    "pg_ts_parser_is_visible",
    "pg_ts_template_is_visible",
    "pg_type_is_visible",
];

const FALSE: &[&str] = &["pg_is_in_recovery", "pg_is_other_temp_schema", "row_security_active"];

/// Comments and definitions, which do not exist here.
const NULL: &[&str] = &[
    "col_description",
    "inet_client_addr",
    "inet_server_addr",
    "obj_description",
    "pg_get_function_sqlbody",
    "pg_get_functiondef",
    "pg_get_indexdef",
    "pg_get_ruledef",
    "pg_get_serial_sequence",
    "pg_get_triggerdef",
    "pg_get_viewdef",
    "pg_tablespace_location",
    "shobj_description",
];

const ENCODING: &[&str] = &["getdatabaseencoding", "pg_client_encoding", "pg_encoding_to_char"];

const ZERO: &[&str] = &["pg_char_to_encoding", "pg_my_temp_schema", "txid_current"];

const ZERO_BYTES: &[&str] =
    &["pg_database_size", "pg_indexes_size", "pg_table_size", "pg_tablespace_size"];

pub fn all() -> impl Iterator<Item = ScalarUDF> {
    let version = format!("PostgreSQL {}", settings::SERVER_VERSION);
    let of = |names: &'static [&'static str], value: ScalarValue| {
        names.iter().map(move |name| (*name, value.clone()))
    };
    let pair = Fields::from(vec![
        Field::new("x", DataType::Int16, true),
        Field::new("n", DataType::Int32, true),
    ]);
    let no_pair = ScalarValue::try_new_null(&DataType::Struct(pair)).unwrap_or(ScalarValue::Null);
    of(TRUE, ScalarValue::from(true))
        .chain(of(FALSE, ScalarValue::from(false)))
        .chain(of(NULL, ScalarValue::Utf8(None)))
        .chain(of(ZERO, ScalarValue::from(0i32)))
        .chain(of(ZERO_BYTES, ScalarValue::from(0i64)))
        .chain(of(&["version"], ScalarValue::from(version)))
        .chain(of(ENCODING, ScalarValue::from("UTF8")))
        // Expands the columns of an index; there are no indexes.
        .chain(of(&["_pg_expandarray"], no_pair))
        .map(|(name, value)| ScalarUDF::new_from_impl(Constant::new(name, value)))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Constant {
    name: &'static str,
    value: ScalarValue,
    signature: Signature,
}

impl Constant {
    fn new(name: &'static str, value: ScalarValue) -> Self {
        let any = TypeSignature::OneOf(vec![TypeSignature::Nullary, TypeSignature::VariadicAny]);
        Self { name, value, signature: Signature::new(any, Volatility::Stable) }
    }
}

impl ScalarUDFImpl for Constant {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}
