//! How fast SQL answers over a month of 37,000 stores, 25 million polls: the questions of
//! `compare/sql`, which `compare/run_sql` puts to DuckDB as well.

mod shared;

use std::path::{Path, PathBuf};
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use uptally::{Database, Dataset, Limits};

fn sql(criterion: &mut Criterion) {
    let runtime = shared::runtime();
    let tables = shared::tables_of(37_000, 30);
    let dataset = runtime.block_on(Dataset::open(&tables, None)).expect("the tables open");
    let dataset = dataset.expect("the tables are not empty");
    let limits =
        Limits { memory_bytes: 4 << 30, time: Duration::from_secs(3600), ..Limits::default() };
    let database = Database::new(limits);
    let ask = |sql: &str| ask(&runtime, &database, &dataset, sql);

    let busiest = ask("SELECT store_id FROM stores ORDER BY polls DESC, store_id LIMIT 1");
    let store_id = busiest[0].column(0).as_string::<i32>().value(0).to_owned();
    let mut group = criterion.benchmark_group("sql");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for file in questions() {
        let question = std::fs::read_to_string(&file).expect("the file can be read");
        let question = question.replace("{store_id}", &store_id);
        let name = file.file_name().and_then(|name| name.to_str()).expect("the name is text");
        let name = name.split('.').next().expect("there is a first part");
        assert!(ask(&question).iter().any(|batch| batch.num_rows() > 0), "{name} has rows");
        group.bench_function(name, |bencher| bencher.iter(|| ask(&question)));
    }
    group.finish();
}

/// The files with questions in the words of uptally, in order.
fn questions() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare/sql");
    let files = std::fs::read_dir(folder).expect("the questions are there");
    let mut files: Vec<_> = files.map(|file| file.expect("it can be listed").path()).collect();
    files.retain(|file| !file.to_string_lossy().contains("duckdb"));
    files.sort();
    files
}

fn ask(runtime: &Runtime, database: &Database, dataset: &Dataset, sql: &str) -> Vec<RecordBatch> {
    let rows = async {
        let session = database.session(dataset)?;
        let plan = session.plan(sql).await?;
        session.run(plan, database.limits()).await?.collect().await
    };
    let (rows, is_cut) = runtime.block_on(rows).expect("there is an answer");
    assert!(!is_cut);
    rows
}

criterion_group!(benches, sql);
criterion_main!(benches);
