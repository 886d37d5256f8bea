//! How fast each engine answers from tables: more stores, and more history; and the floor under
//! both, decoding the polls once.

mod shared;

use std::fs::File;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio::runtime::Runtime;
use uptally::{Dataset, Engine, ReportQuery, Table, answer};

fn report(criterion: &mut Criterion) {
    let runtime = shared::runtime();
    let mut group = criterion.benchmark_group("report");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for (name, stores, days) in [
        ("14k_stores", 14_000, 7),
        ("140k_stores", 140_000, 7),
        ("14k_stores_52_weeks", 14_000, 364),
    ] {
        let tables = shared::tables_of(stores, days);
        let ask = |engine: Engine| {
            let dataset = open(&runtime, &tables);
            runtime.block_on(async {
                answer(&dataset, &ReportQuery::default(), engine)
                    .await
                    .expect("there is an answer")
                    .figures
            })
        };
        let expected = ask(Engine::DataFusion);
        assert_eq!(expected.num_rows(), stores as usize);
        assert_eq!(ask(Engine::Polars).columns(), expected.columns(), "the engines agree");
        for (id, engine) in [("sql", Engine::DataFusion), ("frame", Engine::Polars)] {
            group
                .bench_function(BenchmarkId::new(id, name), |bencher| bencher.iter(|| ask(engine)));
        }
    }
    group.finish();
}

/// Reads the columns of polls that a report looks at, on one thread, and counts the rows.
fn decode(criterion: &mut Criterion) {
    let dataset = open(&shared::runtime(), &shared::tables_of(14_000, 7));
    let mut group = criterion.benchmark_group("decode");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.bench_function("14k_stores", |bencher| {
        bencher.iter(|| -> usize {
            let rows_of = |table: Table| dataset.files(table).iter().map(|file| rows(&file.path));
            rows_of(Table::Polls).sum()
        });
    });
    group.finish();
}

fn rows(polls: &Path) -> usize {
    let file = File::open(polls).expect("the file is there");
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("it is Parquet");
    let columns =
        ProjectionMask::columns(builder.parquet_schema(), ["store_no", "polled_at", "active"]);
    let reader = builder.with_projection(columns).with_batch_size(32_768).build();
    reader.expect("it can be read").map(|batch| batch.expect("it decodes").num_rows()).sum()
}

fn open(runtime: &Runtime, tables: &Path) -> Dataset {
    let dataset = runtime.block_on(Dataset::open(tables, None)).expect("the tables open");
    dataset.expect("the tables are not empty")
}

criterion_group!(benches, decode, report);
criterion_main!(benches);
