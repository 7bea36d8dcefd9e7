//! Limits the number of clusters that run at once, across all test processes: time limits mean
//! little on a machine that runs ten groups.

use crate::support::wait::until;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

const SLOTS: usize = 2;
/// Far longer than the whole suite takes: on a machine with many cores every test waits here from
/// the beginning.
const LIMIT: Duration = Duration::from_secs(3_600);

/// A permit to run a cluster. It is released on drop, and by the system when the process dies.
pub struct Slots(#[expect(dead_code, reason = "held for its lock")] Vec<File>);

impl Slots {
    /// Waits for a permit for one cluster beside others.
    pub fn one() -> Slots {
        let _queue = queue_lock();
        until("a free slot for a cluster", LIMIT, || {
            (0..SLOTS)
                .find_map(|slot| try_lock(&slot.to_string()))
                .map(|file| Slots(vec![file]))
        })
    }

    /// Returns a permit that holds no slot.
    pub fn none() -> Slots {
        Slots(Vec::new())
    }

    /// Waits for the whole machine, for tests that measure time.
    pub fn all() -> Slots {
        let _queue = queue_lock();
        Slots(
            (0..SLOTS)
                .map(|slot| {
                    until("every slot for a cluster", LIMIT, || {
                        try_lock(&slot.to_string())
                    })
                })
                .collect(),
        )
    }
}

/// Waits for the lock that is held while a test waits for slots. Without it, tests that need one
/// slot would pass a test that needs all, again and again.
fn queue_lock() -> File {
    until("the turn to wait for a slot", LIMIT, || try_lock("turn"))
}

fn try_lock(name: &str) -> Option<File> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-slot-{name}"));
    let file = File::create(&path).expect("the target directory can be written");
    file.try_lock().ok().map(|()| file)
}
