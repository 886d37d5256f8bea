//! The targets of `fuzz/`, a function each: properties of what reads bytes of strangers, without
//! files and sockets. A function panics if its property does not hold for its input.
//!
//! Compiled for tests and with the feature `fuzzing` only, and no part of the library's API.

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

use crate::limits::STACK_BYTES;
use crate::rules::calendar::instant_text;
use crate::rules::instant::{instant_us, parse_instant_field};
#[cfg(feature = "flight")]
use crate::server::fuzzing::is_same_again;
use crate::server::fuzzing::{report_options, sql_text};
use crate::{functions, ingest, limits, sql};

/// Rows of a CSV file do not depend on where it is cut into blocks.
///
/// The first byte chooses a header; without one, the input brings its own.
pub fn csv_rows(input: &[u8]) {
    const HEADERS: [&[u8]; 4] = [
        b"",
        b"store_id,status,timestamp_utc\n",
        b"store_id,day,start_time_local,end_time_local\n",
        b"store_id,timezone_str\n",
    ];
    /// The start of a file, by which other formats are told, is within the first block of either.
    const BLOCK_BYTES: [usize; 2] = [512, 1 << 20];
    let Some((header, rows)) = input.split_first() else { return };
    let file = [HEADERS[usize::from(*header) % HEADERS.len()], rows].concat();
    let read = BLOCK_BYTES.map(|block_bytes| ingest::read_bytes(&file, block_bytes));
    if let [Ok(small), Ok(large)] = read {
        assert_eq!(small, large);
    }
}

/// The signed part of a handle of a prepared statement is decoded without harm, whatever it is, and
/// encodes to the same statement with the same values again.
#[cfg(feature = "flight")]
pub fn flight_handles(signed: &[u8]) {
    assert_ne!(is_same_again(signed), Some(false));
}

/// An instant is read from its text, and the text that is made of it is read as the same one.
pub fn instants(text: &[u8]) {
    let field = parse_instant_field(text);
    let Ok(text) = str::from_utf8(text) else { return };
    let argument = instant_us(text);
    if field.is_ok() {
        assert_eq!(field, argument, "{text:?}");
    }
    if let Ok(instant) = argument {
        assert_eq!(instant_us(&instant_text(instant)), Ok(instant), "{text:?}");
    }
}

/// Bodies of requests are read without harm, and options of a report are described as they are
/// read.
///
/// The first byte chooses the type of the body.
pub fn json_bodies(input: &[u8]) {
    const CONTENT_TYPES: [&str; 3] = [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=X",
    ];
    let Some((content_type, body)) = input.split_first() else { return };
    let content_type = CONTENT_TYPES[usize::from(*content_type) % CONTENT_TYPES.len()];
    if let Some((described, again)) = report_options(body, content_type) {
        assert_eq!(described, again);
    }
    if let Some(statement) = sql_text(body) {
        assert!(!statement.trim().is_empty());
    }
}

/// A statement that the check of the depth accepts is no deeper once it is parsed, and does not
/// overflow the stack of the threads that parse it.
///
/// Of three lines, the second is repeated, for chains that are longer than inputs.
pub fn sql_depth(text: &[u8]) {
    const REPETITIONS: usize = 2_000;
    const REPEATED_BYTES_MAX: usize = 32;
    /// Twice the limit of the check, for an operator or a pair of parentheses is at most an
    /// expression within another one, or a query within an expression.
    const DEPTH_MAX: usize = 2 * (limits::DEPTH_MAX + 8);
    let Ok(text) = str::from_utf8(text) else { return };
    let mut lines = text.splitn(3, '\n');
    let statement = match (lines.next(), lines.next(), lines.next()) {
        (Some(start), Some(part), Some(end)) if part.len() <= REPEATED_BYTES_MAX => {
            format!("{start} {} {end}", part.repeat(REPETITIONS))
        }
        _ => text.to_owned(),
    };
    // Instrumented frames are larger.
    let thread = std::thread::Builder::new().stack_size(2 * STACK_BYTES);
    let depth = thread.spawn(move || statement_depth(&statement)).unwrap().join().unwrap();
    assert!(depth.is_none_or(|depth| depth <= DEPTH_MAX), "{depth:?}: {text:?}");
}

/// Any instant is shown by any format, and a quoted format as it is.
///
/// The first eight bytes are the instant, in microseconds UTC.
pub fn to_char(input: &[u8]) {
    let Some((at_us, format)) = input.split_first_chunk() else { return };
    let Ok(format) = str::from_utf8(format) else { return };
    let _ = text_of(i64::from_le_bytes(*at_us), format);
    // Of an instant that has a year. Formats with % are those of the engine's own function.
    if !format.contains(['"', '%']) {
        assert_eq!(text_of(0, &format!("\"{format}\"")).as_deref(), Some(format));
    }
}

/// Parses and prepares statements as if they were to be planned. Returns the largest number of
/// statements, expressions and queries within one another; `None` if the check of the depth or the
/// parser refuses them.
///
/// Needs a stack of [`STACK_BYTES`].
fn statement_depth(text: &str) -> Option<usize> {
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
fn text_of(at_us: i64, format: &str) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs::{read, read_dir, read_to_string};
    use std::panic::catch_unwind;
    use std::path::{Path, PathBuf};

    use super::*;

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: &[Target] = &[
        ("csv_rows", csv_rows),
        #[cfg(feature = "flight")]
        ("flight_handles", flight_handles),
        ("instants", instants),
        ("json_bodies", json_bodies),
        ("sql_depth", sql_depth),
        ("to_char", to_char),
    ];

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
    }

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[cfg(feature = "flight")]
    #[test]
    fn each_target_is_a_program_with_seeds() {
        let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names(&folder().join("fuzz_targets")), targets);
        assert_eq!(names(&folder().join("seeds")), targets);
        let manifest = read_to_string(folder().join("Cargo.toml")).unwrap();
        let nightly = folder().parent().unwrap().join(".github/workflows/ci.yml");
        let nightly = read_to_string(nightly).unwrap();
        let listed: Vec<_> = targets.iter().map(String::as_str).collect();
        assert!(nightly.contains(&format!("TARGETS: {}\n", listed.join(" "))));
        for name in listed {
            let program = folder().join("fuzz_targets").join(name).with_extension("rs");
            let program = read_to_string(program).unwrap();
            let calls = format!("fuzz_target!(|input: &[u8]| uptally::fuzzing::{name}(input));\n");
            assert!(program.ends_with(&calls), "{name} does not call its function");
            let path = format!("path = \"fuzz_targets/{name}.rs\"");
            assert!(manifest.contains(&path), "{name} is not in the manifest");
        }
    }

    #[track_caller]
    fn check((name, run): &Target, input: &[u8], source: &str) {
        let run = *run;
        assert!(catch_unwind(|| run(input)).is_ok(), "{name}: {source}: {input:?}");
    }

    /// The fuzzer draws far more; these are the same each time.
    #[test]
    fn targets_hold_for_their_seeds_and_mutations_of_them() {
        const PLACES_MAX: usize = 32;
        const REPETITIONS: usize = 20;
        for target in TARGETS {
            let seeds = read_dir(folder().join("seeds").join(target.0)).unwrap();
            let mut seeds: Vec<_> = seeds.map(|entry| entry.unwrap().path()).collect();
            seeds.sort();
            assert!(!seeds.is_empty(), "{} has no seeds", target.0);
            for path in seeds {
                let (seed, source) = (read(&path).unwrap(), path.display().to_string());
                check(target, &seed, &source);
                check(target, &seed.repeat(REPETITIONS), &format!("{source}, repeated"));
                for place in (0..seed.len()).step_by(seed.len().div_ceil(PLACES_MAX)) {
                    let mut flipped = seed.clone();
                    flipped[place] ^= 1 << (place % 8);
                    check(target, &flipped, &format!("{source}, flipped at {place}"));
                    check(target, &seed[..place], &format!("{source}, cut at {place}"));
                }
            }
        }
    }
}
