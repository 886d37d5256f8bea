//! Harness of the tests: queries with and without the corrections.

pub mod uncorrected;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast;

use super::{analyzer_rules, correct_statement, register};

/// Answer of the engine without corrections.
pub async fn raw(sql: &str) -> String {
    let batches = SessionContext::new().sql(sql).await.unwrap().collect().await.unwrap();
    printed(&batches)
}

/// Answer of the engine with corrections.
pub async fn corrected(sql: &str) -> String {
    let state = SessionStateBuilder::new().with_default_features();
    let state =
        analyzer_rules().into_iter().fold(state, |state, rule| state.with_analyzer_rule(rule));
    let context = SessionContext::new_with_state(state.build());
    register(&context);
    let mut statement = parsed(sql);
    let done: Result<Vec<RecordBatch>> = async {
        correct_statement(&mut statement)?;
        let plan = context.state().statement_to_plan(statement).await?;
        context.execute_logical_plan(plan).await?.collect().await
    }
    .await;
    match done {
        Ok(batches) => printed(&batches),
        Err(error) => panic!("{sql}: {error}"),
    }
}

/// Rows separated by commas, values by spaces.
fn printed(batches: &[RecordBatch]) -> String {
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let values: Vec<_> =
                columns.iter().map(|column| column.value(row).to_string()).collect();
            rows.push(values.join(" "));
        }
    }
    rows.join(", ")
}

pub fn parsed(sql: &str) -> Statement {
    DFParser::parse_sql(sql).unwrap().remove(0).unwrap()
}

type Correction = fn(&mut ast::Statement) -> Result<()>;

#[track_caller]
pub fn check(correction: Correction, said: &str, meant: &str) {
    let Statement::Statement(mut statement) = parsed(said) else { panic!("{said}") };
    correction(&mut statement).unwrap();
    assert_eq!(statement.to_string(), meant, "{said}");
}

#[track_caller]
pub fn is_refused(correction: Correction, said: &str) {
    let Statement::Statement(mut statement) = parsed(said) else { panic!("{said}") };
    assert!(correction(&mut statement).is_err(), "{said} became {statement}");
}
