//! How fast each engine answers from tables: more stores, and more history.

mod shared;

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use uptally::engine::{Engine, Question, answer};
use uptally::tables::Dataset;

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
            runtime.block_on(async {
                let dataset = Dataset::open(&tables, None).await.expect("the tables open");
                let dataset = dataset.expect("the tables are not empty");
                answer(&dataset, &Question::default(), engine)
                    .await
                    .expect("there is an answer")
                    .figures
            })
        };
        let expected = ask(Engine::DataFusion);
        assert_eq!(expected.num_rows(), stores as usize);
        assert_eq!(ask(Engine::Polars), expected, "the engines agree");
        for (id, engine) in [("sql", Engine::DataFusion), ("frame", Engine::Polars)] {
            group
                .bench_function(BenchmarkId::new(id, name), |bencher| bencher.iter(|| ask(engine)));
        }
    }
    group.finish();
}

criterion_group!(benches, report);
criterion_main!(benches);
