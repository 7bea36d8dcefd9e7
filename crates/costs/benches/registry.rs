//! Benchmarks of the registry: entries, ticks, lookups, snapshots.

use allocation_counter::measure;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use quorate::model::Lookup;
use quorate::registry::{Batch, Command, Registry};
use quorate_costs::{
    BATCH, RegistryShape, announce, announced, announcement, apply, batch, many_services, registry,
    renew,
};
use std::hint::black_box;

/// Number of nodes in an ordinary cluster.
const NODES: usize = 1_000;
/// Number of nodes in the largest supported cluster.
const MANY_NODES: usize = 100_000;
/// Number of services that fit in a body of 1 MB.
const MANY_SERVICES: usize = 27_000;

fn lookup() -> Lookup {
    Lookup::Type("presto".to_owned())
}

fn tick(advance_ms: u64) -> Batch {
    batch(vec![Command::Tick {
        advance_ms,
        grace_ms: None,
    }])
}

/// Prints the allocations per command, which are the same on every machine.
fn allocations(what: &str, count: usize, work: impl FnOnce()) {
    let info = measure(work);
    let (each, bytes) = (
        info.count_total as f64 / count as f64,
        info.bytes_total / count as u64,
    );
    println!("{what}: {each:.1} allocations, {bytes} bytes each");
}

/// Counts the allocations of applying, parsing and rendering.
fn counted(_: &mut Criterion) {
    let mut held = registry(NODES);
    let (changed, renewed) = (batch(announce(0..BATCH, 2)), batch(renew(0..BATCH, 2)));
    allocations("a changed announcement applied", BATCH, || {
        apply(&mut held, &changed)
    });
    allocations("a renewal applied", BATCH, || apply(&mut held, &renewed));
    allocations("an announcement parsed", 1, || {
        black_box(announcement(1, 1));
    });
    allocations("a tick", 1, || apply(&mut held, &tick(1)));
    allocations("a lookup of 1,000 services rendered", 1, || {
        black_box(held.lookup(&lookup()));
    });
    allocations("the same lookup again", 1, || {
        black_box(held.lookup(&lookup()));
    });
}

/// Measures how long a registry takes to apply an entry.
fn entries(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("entry");
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut held = registry(NODES);
    let mut versions = [1, 2].map(|version| batch(announce(0..BATCH, version)));
    group.bench_function("64 changed announcements", |bench| {
        bench.iter(|| {
            versions.swap(0, 1);
            apply(&mut held, &versions[0]);
        });
    });
    let renewed = batch(renew(BATCH..2 * BATCH, 1));
    group.bench_function("64 renewals", |bench| {
        bench.iter(|| apply(&mut held, &renewed))
    });
    group.finish();
}

/// Measures how long a registry takes to apply a tick.
fn ticks(criterion: &mut Criterion) {
    let mut held = registry(MANY_NODES);
    // The tick does not advance cluster time. Otherwise all nodes would expire after some thousand
    // rounds.
    let tick = tick(0);
    criterion.bench_function("tick over 100,000 services", |bench| {
        bench.iter(|| apply(&mut held, &tick));
    });
}

/// Measures two entries, of which the second replaces all services of one node. The feature level
/// of commands is 1, which has no limit on the number of services.
fn large_entries(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("27,000 services and then others");
    group.sample_size(10);
    for shape in [RegistryShape::OneType, RegistryShape::TypeEach] {
        let entries = ["a", "b"].map(|prefix| {
            let announcement = many_services(prefix, MANY_SERVICES, shape);
            announced(announcement)
        });
        group.bench_function(format!("{shape:?}"), |bench| {
            bench.iter_batched(
                || Registry::new("test"),
                |mut held| {
                    entries.iter().for_each(|entry| apply(&mut held, entry));
                    held
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Measures how long it takes to render a lookup, and to return its cached rendering.
fn lookups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("render");
    for nodes in [100, NODES, 10_000] {
        let held = registry(nodes);
        let bytes = held.lookup(&lookup()).json().len();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_with_input(BenchmarkId::from_parameter(nodes), &held, |bench, held| {
            bench.iter_batched(
                || fresh(held),
                |fresh| fresh.lookup(&lookup()),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
    let held = registry(NODES);
    criterion.bench_function("look up again", |bench| {
        bench.iter(|| held.lookup(&lookup()))
    });
}

/// Returns a registry with the same state, but without cached renderings.
fn fresh(registry: &Registry) -> Registry {
    Registry::from_snapshot(&registry.to_snapshot()).expect("its own snapshot")
}

/// Measures how long a snapshot takes to make, encode and decode.
fn snapshots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot");
    group.sample_size(10);
    let held = registry(MANY_NODES);
    let bytes = held.to_snapshot();
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("image of 100,000 services", |bench| {
        bench.iter(|| held.image())
    });
    group.bench_function("100,000 services as bytes", |bench| {
        bench.iter(|| held.to_snapshot())
    });
    group.bench_function("100,000 services from bytes", |bench| {
        bench.iter(|| Registry::from_snapshot(&bytes).expect("its own snapshot"));
    });
    group.finish();
}

criterion_group!(
    benches,
    counted,
    entries,
    large_entries,
    ticks,
    lookups,
    snapshots
);
criterion_main!(benches);
