//! Tests: every example in the documentation of functions, run over the sample.

use std::path::Path;

use arrow::util::pretty::pretty_format_batches;
use tempfile::TempDir;

use super::super::{Session, documented};
use super::session_over;
use crate::functions::documented::Kind;
use crate::limits::Limits;

/// A session over the sample data, valid as long as the folder.
async fn sample() -> (TempDir, Session) {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
    session_over(files, Limits::default()).await
}

async fn printed(session: &Session, sql: &str) -> String {
    let asked =
        async { session.run(session.plan(sql).await?, session.limits()).await?.collect().await };
    match asked.await {
        Ok((batches, _)) => pretty_format_batches(&batches).unwrap().to_string(),
        Err(error) => error.sentence(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_prints_what_its_documentation_says() {
    let (_folder, session) = sample().await;
    let mut differing = String::new();
    for function in documented() {
        let found = printed(&session, function.example.sql).await;
        if found != function.example.output {
            differing += &format!("{}\n{}\n{found}\n\n", function.name, function.example.sql);
        }
    }
    assert!(differing.is_empty(), "these examples print something else:\n\n{differing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_lists_every_function_with_its_description() {
    let (_folder, session) = sample().await;
    for function in documented().filter(|function| function.kind != Kind::Table) {
        let sql = format!(
            "SELECT syntax_example FROM information_schema.routines WHERE routine_name = '{}'",
            function.name
        );
        assert!(printed(&session, &sql).await.contains(&function.signature()), "{}", function.name);
    }
}
