//! Tests of the state machine on a nearly full disk.

use super::*;
use crate::model::StaticService;
use crate::registry::{Batch, Command};
use crate::storage::{SimFs, Store, Vfs};
use openraft::impls::leader_id_adv::LeaderId;
use std::path::Path;
use std::time::Duration;

const SMALL: u64 = 12 << 20;

/// On a nearly full disk a snapshot that fits beside the existing files is built, and the ballast
/// is released for it. A snapshot requested by openraft that does not fit is postponed, and the
/// process continues.
#[tokio::test]
async fn a_snapshot_without_room_is_put_off() {
    let fs = SimFs::new(SMALL);
    let store = Store::open(Arc::new(fs.clone()), Path::new("/data/raft")).expect("a new store");
    let snapshots = store.snapshots();
    let gap = Duration::from_secs(5);
    let opened =
        StateMachine::open(snapshots.clone(), "test", 1, gap, PauseDetector::start()).await;
    let (mut machine, replica) = opened.expect("nothing is there");
    apply_large(&replica);
    let body_bytes = replica.registry().counted_bytes() as u64;
    assert!(body_bytes > 3_000_000, "{body_bytes}");
    assert!(machine.try_create_snapshot_builder(false).await.is_some());

    // Other files occupy the disk, except for the space of the snapshot and the minimum for the
    // log.
    let floor_bytes = store.space().expect("space").floor_bytes;
    let used_bytes = SMALL - fs.space(Path::new("/data/raft")).expect("asked").free_bytes;
    let ballast_bytes = floor_bytes;
    let needed_bytes = body_bytes + floor_bytes / 4;
    fs.set_capacity(used_bytes + needed_bytes - ballast_bytes);
    assert!(snapshots.have_room(body_bytes).expect("asked"));
    assert!(machine.try_create_snapshot_builder(false).await.is_some());
    fs.set_capacity(used_bytes + needed_bytes - ballast_bytes - 1);
    assert!(!snapshots.have_room(body_bytes).expect("asked"));
    assert!(machine.try_create_snapshot_builder(false).await.is_none());
    assert!(
        machine.try_create_snapshot_builder(true).await.is_some(),
        "one that a follower needs is always tried"
    );
    assert_eq!(*store.failed().borrow(), None);
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
