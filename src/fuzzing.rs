//! Entries for the targets in `fuzz/`: what reads bytes of strangers, without files and sockets.
//!
//! Compiled with the feature `fuzzing` only, and no part of the library's API.

use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{Expr, Query, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect, PostgreSqlDialect};

pub use crate::limits::STACK_BYTES;
pub use crate::rules::calendar::instant_text;
pub use crate::rules::instant::{instant_us as parse_instant, parse_instant_field};
#[cfg(feature = "flight")]
use crate::server::fuzzing::same_again;
pub use crate::server::fuzzing::{report_options, sql_text};
use crate::{functions, ingest, limits, sql};

/// Checked rows and rejects of a CSV file, read in blocks of about `block_bytes`; `None` if the file
/// as a whole is refused.
pub fn csv_rows(file: &[u8], block_bytes: usize) -> Option<(Vec<String>, Vec<String>)> {
    ingest::read_bytes(file, block_bytes).ok()
}

/// True if the signed part of a handle, decoded and encoded again, is the same statement with the
/// same values; `None` if it cannot be decoded.
#[cfg(feature = "flight")]
pub fn handle_is_same_again(signed: &[u8]) -> Option<bool> {
    same_again(signed).ok()
}

/// Depth that statements may have, as [`statement_depth`] counts it.
///
/// Twice the limit of the check, for an operator or a pair of parentheses is at most an expression
/// within another one, or a query within an expression.
pub const STATEMENT_DEPTH_MAX: usize = 2 * (limits::DEPTH_MAX + 8);

/// Parses and prepares statements as if they were to be planned. Returns the largest number of
/// statements, expressions and queries within one another; `None` if the check of the depth or the
/// parser refuses them.
///
/// Needs a stack of [`STACK_BYTES`].
pub fn statement_depth(text: &str) -> Option<usize> {
    limits::check_depth(text).ok()?;
    let dialects: [&dyn Dialect; 2] = [&GenericDialect {}, &PostgreSqlDialect {}];
    let depths = dialects.into_iter().filter_map(|dialect| depth_of_parsed(text, dialect));
    depths.max()
}

fn depth_of_parsed(text: &str, dialect: &dyn Dialect) -> Option<usize> {
    let parser = DFParserBuilder::new(text).with_dialect(dialect).build();
    let statements = parser.ok()?.parse_statements().ok()?;
    let mut deepest = 0;
    for mut statement in statements {
        deepest = deepest.max(depth_of(&statement));
        // Whether it can be planned does not matter here.
        drop(sql::prepare(&mut statement));
    }
    Some(deepest)
}

fn depth_of(mut statement: &Statement) -> usize {
    let (mut depth, mut explained) = (Depth::default(), 0);
    while let Statement::Explain(explain) = statement {
        statement = &explain.statement;
        explained += 1;
    }
    if let Statement::Statement(plain) = statement {
        let _ = plain.visit(&mut depth);
    }
    explained + depth.deepest
}

#[derive(Default)]
struct Depth {
    current: usize,
    deepest: usize,
}

impl Depth {
    fn enter(&mut self) -> ControlFlow<()> {
        self.current += 1;
        self.deepest = self.deepest.max(self.current);
        ControlFlow::Continue(())
    }

    fn leave(&mut self) -> ControlFlow<()> {
        self.current -= 1;
        ControlFlow::Continue(())
    }
}

impl Visitor for Depth {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.enter()
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.leave()
    }

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.enter()
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.leave()
    }
}

/// Text of `to_char` for an instant in microseconds UTC; `None` if it is null or an error.
pub fn to_char(at_us: i64, format: &str) -> Option<String> {
    static TO_CHAR: LazyLock<Option<Arc<ScalarUDF>>> = LazyLock::new(|| {
        let session = SessionContext::new();
        functions::instants::register(&session);
        session.udf("to_char").ok()
    });
    let at = ScalarValue::TimestampMicrosecond(Some(at_us), Some("UTC".into()));
    let values = [at, ScalarValue::Utf8(Some(format.to_owned()))];
    let field = |data_type| Arc::new(Field::new("value", data_type, true));
    let arguments = ScalarFunctionArgs {
        arg_fields: values.iter().map(|value| field(value.data_type())).collect(),
        args: values.into_iter().map(ColumnarValue::Scalar).collect(),
        number_rows: 1,
        return_field: field(DataType::Utf8),
        config_options: Arc::default(),
    };
    match TO_CHAR.as_ref()?.invoke_with_args(arguments) {
        Ok(ColumnarValue::Scalar(ScalarValue::Utf8(text))) => text,
        _ => None,
    }
}
