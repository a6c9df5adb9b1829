//! Bytes per second of forms, beside other libraries: `cargo bench -p fcgi-benches --bench form`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fcgi_benches::forms::throughput;

fn form(criterion: &mut Criterion) {
    for mut workload in throughput::all() {
        let (area, case) = workload.name.split_once('/').unwrap_or(("", workload.name));
        let bytes = workload.bytes;
        let mut group = criterion.benchmark_group(area);
        group.throughput(Throughput::Bytes(bytes.try_into().unwrap_or(u64::MAX)));
        group.bench_function(format!("{case}/{bytes}"), |bencher| {
            bencher.iter(|| workload.run());
        });
        group.finish();
    }
}

criterion_group!(benches, form);
criterion_main!(benches);
