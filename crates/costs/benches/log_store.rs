//! Benchmarks of the log store: appends of one entry and of many entries, until they are on disk.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use openraft::entry::{EntryPayload, RaftEntry};
use openraft::impls::leader_id_adv::LeaderId;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::type_config::alias::{EntryOf, LogIdOf};
use quorate::raft::{Proposal, TypeConfig};
use quorate::storage::{LogStore, OsFs, Store};
use quorate_costs::{BATCH, announce, batch};
use std::sync::Arc;

/// The log that a benchmark appends to.
struct BenchLog {
    store: LogStore,
    next: u64,
    purged: u64,
}

/// Maximum number of entries in the log; without a limit, a benchmark would fill the disk.
const KEPT: u64 = 2_000;

fn log_id(index: u64) -> LogIdOf<TypeConfig> {
    LogIdOf::<TypeConfig>::new(
        LeaderId {
            term: 1,
            node_id: 1,
        },
        index,
    )
}

impl BenchLog {
    fn entries(&mut self, count: u64, proposal: &Proposal) -> Vec<EntryOf<TypeConfig>> {
        let first = self.next;
        self.next += count;
        let entry = |index| {
            let payload = EntryPayload::Normal(proposal.clone());
            RaftEntry::new(log_id(index), payload)
        };
        (first..self.next).map(entry).collect()
    }

    /// Appends entries and waits until they are on disk.
    async fn append(&mut self, entries: Vec<EntryOf<TypeConfig>>) {
        let (done, on_disk) = TypeConfig::oneshot();
        let appended = self.store.append(entries, IOFlushed::signal(done)).await;
        appended.expect("it is taken");
        on_disk.await.expect("it is told").expect("it is on disk");
        if self.next - self.purged > KEPT {
            self.purged = self.next - KEPT / 2;
            let upto = log_id(self.purged);
            self.store.purge(upto).await.expect("it is purged");
        }
    }
}

/// Measures appends until they are durable: one entry with a single change, one entry with 64
/// changes, and 16 entries with 64 changes each.
fn appends(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    // The directory is below `target`, which is on a disk. The system's temporary files may be in
    // memory, where a sync costs nothing.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let store = Store::open(Arc::new(OsFs), dir.path()).expect("an empty store");
    let mut log = BenchLog {
        store: store.log_store(),
        next: 0,
        purged: 0,
    };
    let mut group = criterion.benchmark_group("append");
    for (entries, changes) in [(1, 1), (1, BATCH), (16, BATCH)] {
        let proposal = Proposal(Arc::new(batch(announce(0..changes, 1))));
        group.throughput(Throughput::Elements(entries * changes as u64));
        let name = BenchmarkId::new(format!("{entries} entries"), format!("{changes} changes"));
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let entries = log.entries(entries, &proposal);
                runtime.block_on(log.append(entries));
            });
        });
    }
    group.finish();
    runtime.block_on(store.close());
}

criterion_group!(benches, appends);
criterion_main!(benches);
