//! Limits the number of clusters that run at the same time, across all test processes. Time limits
//! would mean little on a machine that runs ten clusters.

use crate::support::wait::until;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

const SLOTS: usize = 2;
/// The slot of a cluster that mostly waits, in addition to the others.
const QUIET: &str = "quiet";
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
    pub fn all() -> Slots {
        let _queue = queue_lock();
        let names = (0..SLOTS).map(|slot| slot.to_string());
        let locks = names
            .chain([QUIET.to_owned()])
            .map(|name| until("every slot for a cluster", LIMIT, || try_lock(&name)));
        Slots(locks.collect())
    }
}

/// Waits for the lock that a test holds while it waits for slots. Without this lock, tests that
/// need one slot would overtake a test that needs all slots, again and again.
fn queue_lock() -> File {
    until("the turn to wait for a slot", LIMIT, || try_lock("turn"))
}

fn try_lock(name: &str) -> Option<File> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-slot-{name}"));
    let file = File::create(&path).expect("the target directory can be written");
    file.try_lock().ok().map(|()| file)
}
