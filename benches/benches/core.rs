//! The time that each workload takes, and bytes per second: `cargo bench -p fcgi-benches`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fcgi_benches::workloads;

fn core(criterion: &mut Criterion) {
    for mut workload in workloads::all() {
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

criterion_group!(benches, core);
criterion_main!(benches);
