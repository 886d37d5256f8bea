//! How fast CSV becomes tables: a week of 14,000 stores, 150 MB.

mod shared;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};

fn ingest(criterion: &mut Criterion) {
    let csv = shared::csv_of(14_000, 7);
    let bytes = std::fs::read_dir(&csv)
        .expect("the chain is there")
        .map(|entry| entry.and_then(|entry| entry.metadata()).expect("a file has a size").len())
        .sum();
    let mut group = criterion.benchmark_group("ingest");
    group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Bytes(bytes));
    group.bench_function("14k_stores", |bencher| {
        bencher.iter_with_large_drop(|| {
            let tables = tempfile::tempdir().expect("there is room for tables");
            let outcome = shared::ingest(&csv, tables.path());
            assert!(outcome.polls.loaded > 2_000_000 && outcome.rejects.is_empty());
            tables
        });
    });
    group.finish();
}

criterion_group!(benches, ingest);
criterion_main!(benches);
