use std::sync::Arc;

use datafusion::common::{Column, SchemaError};

use super::*;

fn asked(error: DataFusionError) -> Error {
    query_error(error)
}

#[track_caller]
fn check(error: DataFusionError, fault: Fault, sentence: &str) {
    match asked(error) {
        Error::Query(wrong) => assert_eq!(wrong, QueryError::new(fault, sentence)),
        other => panic!("{other:?} is not about the question"),
    }
}

fn plan(words: &str) -> DataFusionError {
    DataFusionError::Plan(words.to_owned())
}

#[test]
fn the_engines_errors_are_sentences_of_a_kind() {
    check(
        plan("Invalid function 'lenght'.\nDid you mean 'length'?"),
        Fault::UnknownFunction,
        "there is no function \"lenght\"; did you mean length?",
    );
    check(
        plan("table 'uptally.public.rejectss' not found").context("while planning"),
        Fault::UnknownTable,
        "there is no table \"rejectss\"",
    );
    check(
        DataFusionError::Execution(
            "Function 'is_open' user-defined coercion failed with: Error during planning: \
             is_open(a): a has to be b No function matches the given name"
                .to_owned(),
        ),
        Fault::Other,
        "is_open(a): a has to be b",
    );
    let parsed = "Expected: an expression, found: FROM at Line: 1, Column: 8".to_owned();
    check(
        DataFusionError::SQL(Box::new(ParserError::ParserError(parsed)), None),
        Fault::Syntax,
        "not SQL: expected an expression, found FROM at line 1, column 8",
    );
    let divided = DataFusionError::ArrowError(Box::new(ArrowError::DivideByZero), None);
    check(divided, Fault::DivisionByZero, "division by zero");
    check(plan("Interesting, and new to us"), Fault::Other, "interesting, and new to us");
    check(plan("Mode 'overflow' is new"), Fault::Other, "mode 'overflow' is new");
    check(plan("Mode \"placeholder\" is new"), Fault::Other, "mode \"placeholder\" is new");
    check(plan("Mode 'a' overflows"), Fault::OutOfRange, "mode 'a' overflows");
    let steps = "Plan: [\"SortExec: expr=[a@0]\"] does not satisfy order requirements: [a@0]";
    check(plan(steps), Fault::NotSupported, &unexplained().sentence);
    let lost = SchemaError::FieldNotFound {
        field: Box::new(Column::from_name("a")),
        valid_fields: Vec::new(),
    };
    let lost = DataFusionError::SchemaError(Box::new(lost), Box::new(None));
    check(
        lost.context("Optimizer rule 'scalar_subquery_to_join' failed"),
        Fault::NotSupported,
        "a subquery cannot refer to the outer query in this way; write it as a join",
    );
    check(error(Fault::ReadOnly, "no").context("x"), Fault::ReadOnly, "no");
}

/// An error of each kind with this message, and those of Arrow and Parquet wrapped in it.
///
/// A new kind of the engine fails to compile here until it is added.
fn every_kind(words: &str) -> Vec<DataFusionError> {
    use DataFusionError as E;
    let text = || words.to_owned();
    let mut all = vec![
        E::IoError(std::io::Error::other("disk")),
        E::SQL(Box::new(ParserError::ParserError("Expected: a, found: b".into())), None),
        E::SQL(Box::new(ParserError::TokenizerError("Unterminated".into())), None),
        E::SQL(Box::new(ParserError::RecursionLimitExceeded), None),
        E::NotImplemented(text()),
        E::Internal(text()),
        E::Plan(text()),
        E::Configuration(text()),
        E::Execution(text()),
        E::ResourcesExhausted(text()),
        E::External(text().into()),
        E::External(Box::new(QueryError::new(Fault::Value, "no"))),
        E::Context(text(), Box::new(E::Internal(text()))),
        E::Substrait(text()),
        E::Collection(vec![E::Plan(text()), E::Internal(text())]),
        E::Shared(Arc::new(E::Internal(text()))),
        E::Ffi(text()),
        E::Plan(text()).with_diagnostic(datafusion::common::Diagnostic::new_error(text(), None)),
        E::ObjectStore(Box::new(object_store::Error::NotFound {
            path: text(),
            source: text().into(),
        })),
    ];
    let schema = [
        SchemaError::AmbiguousReference { field: Box::new(Column::from_name("a")) },
        SchemaError::DuplicateQualifiedField {
            qualifier: Box::new("t".into()),
            name: "a".to_owned(),
        },
        SchemaError::DuplicateUnqualifiedField { name: "a".to_owned() },
        SchemaError::FieldNotFound {
            field: Box::new(Column::from_qualified_name("__scalar_sq_1.a")),
            valid_fields: Vec::new(),
        },
    ];
    all.extend(schema.map(|wrong| E::SchemaError(Box::new(wrong), Box::new(None))));
    all.extend(arrow(words).into_iter().map(|wrong| E::ArrowError(Box::new(wrong), None)));
    all.extend(parquet(words).into_iter().map(|wrong| E::ParquetError(Box::new(wrong))));
    all.iter().for_each(is_among_them);
    all
}

fn is_among_them(error: &DataFusionError) {
    use DataFusionError as E;
    match error {
        E::ArrowError(..) | E::ParquetError(_) | E::ObjectStore(_) | E::IoError(_) => {}
        E::SQL(..) | E::NotImplemented(_) | E::Internal(_) | E::Plan(_) => {}
        E::Configuration(_) | E::SchemaError(..) | E::Execution(_) | E::External(_) => {}
        E::ResourcesExhausted(_) | E::Context(..) | E::Substrait(_) | E::Ffi(_) => {}
        E::Diagnostic(..) | E::Collection(_) | E::Shared(_) => {}
        // Error of a panicked task, which a query cannot cause deliberately.
        E::ExecutionJoin(_) => {}
    }
}

fn arrow(words: &str) -> Vec<ArrowError> {
    use ArrowError as A;
    let text = || words.to_owned();
    vec![
        A::NotYetImplemented(text()),
        A::ExternalError(text().into()),
        A::ExternalError(Box::new(DataFusionError::Internal(text()))),
        A::ExternalError(Box::new(QueryError::new(Fault::Value, "no"))),
        A::CastError(text()),
        A::MemoryError(text()),
        A::ParseError(text()),
        A::SchemaError(text()),
        A::ComputeError(text()),
        A::DivideByZero,
        A::ArithmeticOverflow(text()),
        A::CsvError(text()),
        A::JsonError(text()),
        A::AvroError(text()),
        A::IoError(text(), std::io::Error::other("disk")),
        A::IpcError(text()),
        A::InvalidArgumentError(text()),
        A::ParquetError(text()),
        A::CDataInterface(text()),
        A::DictionaryKeyOverflowError,
        A::RunEndIndexOverflowError,
        A::OffsetOverflowError(1),
    ]
}

fn parquet(words: &str) -> Vec<ParquetError> {
    use ParquetError as P;
    let text = || words.to_owned();
    vec![
        P::General(text()),
        P::NYI(text()),
        P::EOF(text()),
        P::ArrowError(text()),
        P::IndexOutOfBound(1, 2),
        P::External(text().into()),
        P::External(Box::new(ArrowError::ComputeError(text()))),
        P::NeedMoreData(1),
        P::NeedMoreDataRange(1..2),
    ]
}

/// Messages in which the engine names its internals.
const FOREIGN: [&str; 12] = [
    "Internal error: Function 'range' failed to match any signature, errors: . This issue was likely \
     caused by a bug in DataFusion's code. Please help us: https://github.com/apache/datafusion",
    "Unsupported ast node in sqltorel: Value(ValueWithSpan { value: Null, span: Span(Location(1,31)) })",
    "Physical plan does not support logical expression Exists(Exists { subquery: <subquery> })",
    "SortMergeJoinExec requires valid sort expressions for its right side",
    "failed to downcast array to StringArray for operation 'regex_match_dyn'",
    "Unsupported data type Some(List(Field { data_type: Int64 })) for function rpad",
    "type_coercion\ncaused by\nInternal error: Cannot run range queries on datatype: Duration(ns)",
    "Regular expression did not compile: Syntax(\n~~~\nregex parse error:\n    (\n    ^\nerror: unclosed group\n~~~)",
    "Error evaluating filter predicate: ArrowError(CastError(\"Cannot cast string 'a' to value of Int64 type\"), None)",
    "Error evaluating filter predicate: Something(new)",
    "Additional allocation failed for HashJoinInput[0] with top memory consumers (across reservations) as:\n  HashJoinInput[0]#1(can spill: false) consumed 1 B",
    "variable [\"@a\"] has no type information",
];

#[test]
fn no_word_of_the_engine_reaches_a_person_by_any_kind_of_error() {
    for words in FOREIGN {
        for error in every_kind(words) {
            let printed = format!("{error:?}");
            let told = asked(error).sentence();
            for foreign in [
                "DataFusion",
                "rrow",
                "Parquet",
                "github",
                "Exec",
                "Int64",
                "Span",
                "Some(",
                "{",
                "sqltorel",
                "HashJoin",
                "StringArray",
                "caused by",
                "Internal",
                "evaluating",
            ] {
                assert!(!told.contains(foreign), "{foreign}: {told}\n{printed}");
            }
        }
    }
}

#[test]
fn what_a_question_brought_about_is_no_bug_of_ours_and_what_we_promised_is() {
    let is_about_the_question = |error| matches!(asked(error), Error::Query(_));
    assert!(is_about_the_question(DataFusionError::Internal("Assertion failed: x".into())));
    assert!(is_about_the_question(plan("SortMergeJoinExec")));
    let broken = crate::error::broken("stores are out of order");
    assert!(matches!(asked(broken), Error::Bug { what, .. } if what == "stores are out of order"));
    let missing = DataFusionError::IoError(std::io::Error::other("disk"));
    assert!(matches!(asked(missing), Error::Resource { .. }));
}

/// The error as a predicate evaluated during a scan would report it.
fn of_filter(error: &DataFusionError) -> DataFusionError {
    let words = format!("{}{error:?}", debug_format::FILTER_PREFIX);
    let wrong = ParquetError::External(Box::new(ArrowError::ComputeError(words)));
    DataFusionError::ParquetError(Box::new(wrong))
}

#[test]
fn what_is_wrong_in_a_filter_is_told_as_elsewhere() {
    let cast = ArrowError::CastError("Cannot cast string 'a' to value of Int64 type".to_owned());
    let cast = DataFusionError::ArrowError(Box::new(cast), None);
    check(of_filter(&cast), Fault::Value, "'a' is no bigint");
    let divided = DataFusionError::ArrowError(Box::new(ArrowError::DivideByZero), None);
    check(of_filter(&divided), Fault::DivisionByZero, "division by zero");
    check(of_filter(&error(Fault::Value, "a \"b\"")), Fault::Value, "a \"b\"");
    let hungry = DataFusionError::ResourcesExhausted("lpad would make more than 64 MiB".into());
    let told = query_error_within(of_filter(&hungry), &Limits::default()).sentence();
    assert!(
        told.contains("512 MiB of memory, the limit: ")
            && told.ends_with("lpad would make more than 64 MiB")
    );
}
