//! Functions that describe functions by OID and settings by name.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringArray};
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::PgCatalogStaticTables;

use super::super::settings;
use super::static_tables::StaticTables;
use crate::functions::documented::{Documented, Gives, Kind, Takes};
use crate::sql::documented;

/// First OID of our functions, above those of PostgreSQL's.
const FIRST_OID: i32 = 100_000;

/// A function of uptally, as `pg_proc` lists it.
#[derive(Debug)]
pub struct OwnFunction {
    pub oid: i32,
    pub name: &'static str,
    /// `pg_proc.prokind`: `f`, or `a` for an aggregate.
    pub kind: &'static str,
    pub returns_rows: bool,
    /// OID of the type.
    pub returns: i32,
    /// Name, OID of the type, true if optional.
    pub arguments: Vec<(&'static str, i32, bool)>,
}

#[derive(Debug)]
pub struct Functions {
    pub own: Vec<OwnFunction>,
    pub static_tables: Arc<StaticTables>,
    /// OIDs of PostgreSQL's functions, by name; read on first use.
    oids: OnceLock<HashMap<String, i32>>,
}

impl Default for Functions {
    fn default() -> Self {
        let own = documented()
            .enumerate()
            .map(|(place, function)| OwnFunction::new(place, function))
            .collect();
        Self { own, static_tables: Arc::default(), oids: OnceLock::new() }
    }
}

impl Functions {
    fn oids(&self) -> Result<&HashMap<String, i32>> {
        if let Some(oids) = self.oids.get() {
            return Ok(oids);
        }
        let tables = self.static_tables.decoded()?;
        let oids = oids_by_name(&tables)?;
        Ok(self.oids.get_or_init(|| oids))
    }
}

const BOOL: (i32, &str) = (16, "boolean");
const INT8: (i32, &str) = (20, "bigint");
const INT2: (i32, &str) = (21, "smallint");
const INT4: (i32, &str) = (23, "integer");
const TEXT: (i32, &str) = (25, "text");
const TIMESTAMP: (i32, &str) = (1114, "timestamp without time zone");
const TIMESTAMPTZ: (i32, &str) = (1184, "timestamp with time zone");
const INTERVAL: (i32, &str) = (1186, "interval");
const RECORD: (i32, &str) = (2249, "record");
const ANYARRAY: (i32, &str) = (2277, "anyarray");
const TYPES: [(i32, &str); 10] =
    [BOOL, INT8, INT2, INT4, TEXT, TIMESTAMP, TIMESTAMPTZ, INTERVAL, RECORD, ANYARRAY];

/// Type of what a function returns. PostgreSQL has none for lists of structs.
fn type_of_result(gives: Gives) -> (i32, &'static str) {
    match gives {
        Gives::Boolean => BOOL,
        Gives::Number => INT8,
        Gives::Text => TEXT,
        Gives::Instant | Gives::TimeOfArgument => TIMESTAMPTZ,
        Gives::LocalTime => TIMESTAMP,
        Gives::Duration => INTERVAL,
        Gives::Timeline
        | Gives::Heartbeats
        | Gives::Spans
        | Gives::Segments
        | Gives::StateDurations
        | Gives::PollList
        | Gives::Week
        | Gives::Times
        | Gives::TimelineOfArgument => ANYARRAY,
        Gives::Rows => RECORD,
    }
}

impl OwnFunction {
    fn new(place: usize, function: &'static Documented) -> Self {
        let arguments = function.arguments.iter().map(|argument| {
            let of = match argument.takes {
                Takes::Instant => TIMESTAMPTZ,
                Takes::Length | Takes::OpenTime => INTERVAL,
                Takes::Heartbeats => RECORD,
                Takes::Text => TEXT,
                Takes::Boolean => BOOL,
                Takes::SmallInteger => INT2,
                Takes::Integer => INT4,
                Takes::Timeline | Takes::Spans | Takes::PollList | Takes::Week => ANYARRAY,
            };
            (argument.name, of.0, argument.is_optional)
        });
        Self {
            oid: FIRST_OID + i32::try_from(place).unwrap_or_default(),
            name: function.name,
            kind: if function.kind == Kind::Aggregate { "a" } else { "f" },
            returns_rows: function.kind == Kind::Table,
            returns: type_of_result(function.gives).0,
            arguments: arguments.collect(),
        }
    }

    pub fn argument_types(&self) -> String {
        let types: Vec<_> = self.arguments.iter().map(|(_, of, _)| of.to_string()).collect();
        types.join(" ")
    }

    fn arguments(&self) -> String {
        let described = self.arguments.iter().map(|(name, of, is_optional)| {
            let default = if *is_optional { " DEFAULT NULL" } else { "" };
            format!("{name} {}{default}", type_name(*of))
        });
        described.collect::<Vec<_>>().join(", ")
    }

    fn result(&self) -> String {
        let rows = if self.returns_rows { "SETOF " } else { "" };
        format!("{rows}{}", type_name(self.returns))
    }
}

fn type_name(oid: i32) -> &'static str {
    TYPES.iter().find(|(known, _)| *known == oid).map_or("anyelement", |(_, name)| name)
}

fn oids_by_name(tables: &PgCatalogStaticTables) -> Result<HashMap<String, i32>> {
    let mut oids = HashMap::new();
    for batch in tables.pg_proc.data() {
        let columns = (batch.column_by_name("oid"), batch.column_by_name("proname"));
        let (Some(numbers), Some(names)) = columns else { continue };
        let names = arrow::compute::cast(names, &DataType::Utf8)?;
        for (oid, name) in numbers.as_primitive::<Int32Type>().iter().zip(names.as_string::<i32>())
        {
            if let (Some(oid), Some(name)) = (oid, name) {
                oids.entry(name.to_owned()).or_insert(oid);
            }
        }
    }
    Ok(oids)
}

pub fn all(functions: &Arc<Functions>) -> impl Iterator<Item = ScalarUDF> {
    let functions = Arc::clone(functions);
    INTROSPECTION.iter().map(move |(name, returns, compute)| {
        let any = TypeSignature::VariadicAny;
        ScalarUDF::new_from_impl(IntrospectionFunction {
            name,
            returns: returns.clone(),
            compute: *compute,
            functions: Arc::clone(&functions),
            signature: Signature::new(any, Volatility::Stable),
        })
    })
}

type Compute = fn(&Functions, &ArrayRef) -> Result<ArrayRef>;

const INTROSPECTION: &[(&str, DataType, Compute)] = &[
    ("function_oid", DataType::Int32, |functions, names| {
        let (names, oids) = (texts(names)?, functions.oids()?);
        let oid = |name: Option<&str>| name.map(|name| oids.get(name).map_or(0, |it| *it));
        Ok(Arc::new(names.iter().map(oid).collect::<Int32Array>()))
    }),
    ("pg_get_function_result", DataType::Utf8, |functions, oids| {
        describe(functions, oids, OwnFunction::result)
    }),
    ("pg_get_function_arguments", DataType::Utf8, |functions, oids| {
        describe(functions, oids, OwnFunction::arguments)
    }),
    ("pg_get_function_identity_arguments", DataType::Utf8, |functions, oids| {
        describe(functions, oids, OwnFunction::arguments)
    }),
    ("current_setting", DataType::Utf8, |_, names| {
        let none = HashMap::new();
        let names = texts(names)?;
        let value = |name: Option<&str>| settings::value(&name?.to_lowercase(), &none);
        Ok(Arc::new(names.iter().map(value).collect::<StringArray>()))
    }),
    ("pg_size_pretty", DataType::Utf8, |_, bytes| {
        let bytes = arrow::compute::cast(bytes, &DataType::Int64)?;
        let bytes = bytes.as_primitive::<arrow::datatypes::Int64Type>();
        Ok(Arc::new(bytes.iter().map(|bytes| bytes.map(size)).collect::<StringArray>()))
    }),
];

fn texts(names: &ArrayRef) -> Result<StringArray> {
    Ok(arrow::compute::cast(names, &DataType::Utf8)?.as_string::<i32>().clone())
}

fn describe(
    functions: &Functions,
    oids: &ArrayRef,
    of: fn(&OwnFunction) -> String,
) -> Result<ArrayRef> {
    let oids = arrow::compute::cast(oids, &DataType::Int32)?;
    let own = |oid: Option<i32>| {
        let place = usize::try_from(oid?.checked_sub(FIRST_OID)?).ok()?;
        functions.own.get(place).map(of)
    };
    Ok(Arc::new(oids.as_primitive::<Int32Type>().iter().map(own).collect::<StringArray>()))
}

/// Formats bytes as `pg_size_pretty` does: the first unit in which the number is below 10,240.
fn size(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    let (mut left, mut unit) = (bytes, 0);
    while left.abs() >= 10 * 1024 && unit + 1 < UNITS.len() {
        left = left / 1024 + i64::from(left % 1024 >= 512);
        unit += 1;
    }
    format!("{left} {}", UNITS[unit])
}

/// Scalar function of its first argument; others are ignored.
#[derive(Debug)]
struct IntrospectionFunction {
    name: &'static str,
    returns: DataType,
    compute: Compute,
    functions: Arc<Functions>,
    signature: Signature,
}

impl PartialEq for IntrospectionFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for IntrospectionFunction {}

impl Hash for IntrospectionFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for IntrospectionFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(first) = args.args.first() else {
            return exec_err!("{} requires an argument", self.name);
        };
        let values = (self.compute)(&self.functions, &first.to_array(args.number_rows)?)?;
        match values.len() {
            1 => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?)),
            _ => Ok(ColumnarValue::Array(values)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_the_sessions_return_values_and_those_of_tables_rows() {
        for function in documented() {
            let is_table = function.kind == Kind::Table;
            assert_eq!(function.gives == Gives::Rows, is_table, "{}", function.name);
        }
    }

    #[test]
    fn sizes_have_readable_units() {
        for (bytes, expected) in
            [(0, "0 bytes"), (10_239, "10239 bytes"), (10_240, "10 kB"), (1 << 30, "1024 MB")]
        {
            assert_eq!(size(bytes), expected);
        }
    }
}
