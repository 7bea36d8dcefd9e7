//! Limits the number of clusters that run at the same time, across all test processes. Time limits
//! would mean little on a machine that runs ten clusters.

use crate::support::wait::until;
use quorate::clock;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

const SLOTS: usize = 2;
/// The slot of a cluster that mostly waits, in addition to the others.
const QUIET: &str = "quiet";
/// The lock of the test that waits for slots.
const TURN: &str = "turn";
/// The lock that the tests of a batch share. These tests need the whole machine.
const BATCH: &str = "batch";
/// Number of waiting tests that make a batch. It is smaller than the number of threads in
/// `scripts/check`, so that other tests run meanwhile.
const BATCH_MAX: u32 = 3;
/// Time after which fewer tests make a batch.
const BATCH_WAIT: Duration = Duration::from_secs(60);
/// Timeout for a slot, far longer than the whole suite takes. On a machine with many cores, all
/// tests start to wait at the same time, and the last test waits for almost the whole run.
const LIMIT: Duration = Duration::from_secs(3_600);

/// A permit, which consists of slots, to run a cluster. The permit is released on drop, and by the
/// operating system when the process dies.
pub struct Slots(#[expect(dead_code, reason = "held for its lock")] Vec<File>);

impl Slots {
    /// Waits for one slot, to run a cluster beside others.
    pub fn one() -> Slots {
        let _queue = queue_lock();
        until("a free slot for a cluster", LIMIT, || {
            (0..SLOTS)
                .find_map(|slot| try_lock(&slot.to_string()))
                .map(|file| Slots(vec![file]))
        })
    }

    /// Waits for the slot of a cluster that mostly waits.
    pub fn quiet() -> Slots {
        let _queue = queue_lock();
        Slots(vec![until("the slot of a quiet cluster", LIMIT, || {
            try_lock(QUIET)
        })])
    }

    /// Returns a permit without a slot.
    pub fn none() -> Slots {
        Slots(Vec::new())
    }

    /// Waits for all slots, that is, the whole machine, for tests that measure time.
    ///
    /// Such tests wait for each other and then run one after another, because other tests must end
    /// before the first of them, which takes a while.
    pub fn all() -> Slots {
        let batch = join_batch();
        let _turn = until("the turn to wait for a slot", LIMIT, || try_lock(TURN));
        let locks =
            every_slot().map(|name| until("every slot for a cluster", LIMIT, || try_lock(&name)));
        Slots(locks.chain([batch]).collect())
    }
}

/// Waits for the lock that a test holds while it waits for slots. Without this lock, tests that
/// need one slot would overtake a test that needs all slots, again and again. Also waits until no
/// batch is running.
fn queue_lock() -> File {
    until("the turn to wait for a slot", LIMIT, || {
        let turn = try_lock(TURN)?;
        try_lock(BATCH).map(|_| turn)
    })
}

/// Waits until enough tests need the whole machine, or nothing else is running, or this test has
/// waited long enough, or a batch is running already. Returns the shared lock of the batch.
fn join_batch() -> File {
    let waiting = until("a place in the next batch", LIMIT, || {
        (0..BATCH_MAX).find_map(|place| try_lock(&format!("waiting-{place}")))
    });
    let began = clock::now();
    let batch = until("a batch", LIMIT, || {
        let free = (0..BATCH_MAX).any(|place| try_lock(&format!("waiting-{place}")).is_some());
        let runs = try_lock(BATCH).is_none();
        let is_machine_free = every_slot().all(|name| try_lock(&name).is_some());
        let is_due = !free || runs || is_machine_free || began.elapsed() > BATCH_WAIT;
        let batch = open(BATCH);
        (is_due && batch.try_lock_shared().is_ok()).then_some(batch)
    });
    drop(waiting);
    batch
}

/// Returns the names of all slots.
fn every_slot() -> impl Iterator<Item = String> {
    let slots = (0..SLOTS).map(|slot| slot.to_string());
    slots.chain([QUIET.to_owned()])
}

fn try_lock(name: &str) -> Option<File> {
    let file = open(name);
    file.try_lock().ok().map(|()| file)
}

fn open(name: &str) -> File {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-slot-{name}"));
    File::create(&path).expect("the target directory can be written")
}
