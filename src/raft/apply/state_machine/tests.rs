//! Tests of the state machine on a nearly full disk.

use super::*;
use crate::model::StaticService;
use crate::registry::{Batch, Command};
use crate::storage::{FileLock, FsSpace, OsFs, Store, Vfs, VfsFile};
use openraft::impls::leader_id_adv::LeaderId;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A file system whose free space the test sets.
#[derive(Debug)]
struct FullFs {
    os: OsFs,
    free_bytes: AtomicU64,
}

impl Vfs for FullFs {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.os.create_dir_all(dir)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        self.os.open(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        self.os.create_new(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.os.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.os.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.os.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.os.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        self.os.lock(path)
    }

    fn allocated_bytes(&self, path: &Path) -> io::Result<u64> {
        self.os.allocated_bytes(path)
    }

    fn space(&self, _: &Path) -> io::Result<FsSpace> {
        Ok(FsSpace {
            total_bytes: SMALL,
            free_bytes: self.free_bytes.load(Ordering::Relaxed),
        })
    }
}

/// Size of the test disk.
const SMALL: u64 = 12 << 20;

/// A snapshot that fits beside the existing files is built even on a nearly full disk. The ballast,
/// a file that reserves disk space, is released for the snapshot. If a snapshot does not fit, it is
/// postponed unless openraft forces it, and the process continues.
#[tokio::test]
async fn a_snapshot_without_room_is_put_off() {
    let dir = tempfile::tempdir().expect("a directory");
    let fs = Arc::new(FullFs {
        os: OsFs,
        free_bytes: AtomicU64::new(SMALL),
    });
    let store = Store::open(fs.clone(), dir.path()).expect("a new store");
    let snapshots = store.snapshots();
    let gap = Duration::from_secs(5);
    let opened =
        StateMachine::open(snapshots.clone(), "test", 1, gap, PauseDetector::start()).await;
    let (mut machine, replica) = opened.expect("nothing is there");
    apply_large(&replica);
    let body_bytes = replica.registry().counted_bytes() as u64;
    assert!(body_bytes > 3_000_000, "{body_bytes}");
    assert!(machine.try_create_snapshot_builder(false).await.is_some());

    // Other files occupy the disk, except for the space of the snapshot and the minimum that is
    // kept free for the log. The ballast counts as free space.
    let floor_bytes = store.space().expect("space").floor_bytes;
    let ballast_bytes = floor_bytes;
    let needed_bytes = body_bytes + floor_bytes / 4;
    let set_free = |bytes| fs.free_bytes.store(bytes, Ordering::Relaxed);
    set_free(needed_bytes - ballast_bytes);
    assert!(snapshots.have_room(body_bytes).expect("asked"));
    assert!(machine.try_create_snapshot_builder(false).await.is_some());
    set_free(needed_bytes - ballast_bytes - 1);
    assert!(!snapshots.have_room(body_bytes).expect("asked"));
    assert!(machine.try_create_snapshot_builder(false).await.is_none());
    assert!(
        machine.try_create_snapshot_builder(true).await.is_some(),
        "one that a follower needs is always tried"
    );
    assert!(store.failed().borrow().is_none());
    store.close().await;
}

fn apply_large(replica: &Replica) {
    const STATICS: usize = 4;
    let text = "x".repeat(900_000);
    let statics = (0..STATICS).map(|i| {
        Command::AddStatic(StaticService {
            id: format!("{i}1111111-1111-4111-8111-111111111111"),
            service_type: "t".to_owned(),
            pool: "general".to_owned(),
            location: "/l".to_owned(),
            properties: [("text", text.as_str())].into_iter().collect(),
        })
    });
    let batch = Batch {
        max_age_ms: 30_000,
        step_ms: 1_000,
        commands: statics.collect(),
    };
    let first = LogId::new(
        LeaderId {
            term: 1,
            node_id: 1,
        },
        0,
    );
    replica.apply(&first, Some(&batch));
}
