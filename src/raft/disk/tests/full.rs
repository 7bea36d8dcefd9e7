//! The disk is full.

use super::crash::block_on;
use super::script::{Run, Step, append, contents_of, dir, entry, log_id, snapshot_of};
use crate::clock::Beat;
use crate::raft::disk::sim::SimFs;
use crate::raft::disk::{Store, Vfs};
use crate::raft::state_machine::StateMachine;
use crate::raft::types::Vote;
use crate::registry::{Batch, Command};
use openraft::storage::{RaftLogStorage, RaftStateMachine};
use std::sync::Arc;
use std::time::Duration;

const SMALL: u64 = 12 << 20;

/// Proves that the floor is met before any write fails, that a snapshot and a purge still go
/// through below it, and that the space which they free is seen and used.
#[test]
fn a_full_disk_is_foreseen_and_a_purge_frees_it() {
    block_on(async {
        let store = Store::open(Arc::new(SimFs::new(SMALL)), &dir()).expect("a new store");
        let mut log = store.log_store();
        log.save_vote(&Vote::new(1, 1)).await.expect("saved");
        assert_eq!(store.space().expect("space").floor_bytes, SMALL / 8);
        for round in 0..3 {
            let mut next = store.last_log_id().map_or(0, |l| l.index + 1);
            let first = next;
            while !store.space().expect("space").below_floor {
                let flushed = append(&mut log, vec![entry(1, next, 20_000)])
                    .await
                    .expect("queued");
                flushed.await.expect("above the floor nothing fails");
                next += 1;
            }
            assert!(
                next - first > 50,
                "round {round}: only {} entries fit",
                next - first
            );
            let last = log_id(1, next - 1);
            let (meta, body) = snapshot_of(last, 200_000);
            store
                .snapshots()
                .save(&meta, &body)
                .expect("a snapshot below the floor");
            log.purge(last).await.expect("a purge below the floor");
            log.save_vote(&Vote::new(2 + round, 1))
                .await
                .expect("a vote below the floor");
            assert!(
                !store.space().expect("space").below_floor,
                "round {round}: the purge freed nothing"
            );
        }
        assert_eq!(*store.failed().borrow(), None);
        store.close().await;
    });
}

/// Proves that the ballast lets a purge commit when others have taken all the space.
#[test]
fn a_purge_commits_when_others_filled_the_disk() {
    block_on(async {
        let fs = SimFs::new(SMALL);
        let mut run = Run::new(fs.clone());
        run.play(&[Step::Vote(1, true), Step::Append(vec![3_000; 300])])
            .await
            .expect("it opens");
        let store = Store::open(Arc::new(fs.clone()), &dir()).expect("it opens");
        fs.set_capacity(SMALL - fs_free(&store));
        assert!(store.space().expect("space").below_floor);
        let (meta, body) = snapshot_of(log_id(1, 290), 1_000);
        store
            .snapshots()
            .save(&meta, &body)
            .expect("the ballast makes room");
        let mut log = store.log_store();
        log.purge(log_id(1, 290)).await.expect("queued");
        log.save_vote(&Vote::new(2, 1))
            .await
            .expect("committed with the purge");
        store.close().await;
        let found = contents_of(&fs, &dir()).expect("it opens on a full disk");
        assert_eq!(found.held.purged, Some(log_id(1, 290)));
    });
}

fn fs_free(store: &Store) -> u64 {
    store.space().expect("space").free_bytes
}

/// Proves that a write which finds no space is not acknowledged and stops the store, and that what
/// was acknowledged is there when it opens on the disk that is still full.
#[test]
fn a_write_without_space_loses_nothing_acknowledged() {
    block_on(async {
        let fs = SimFs::new(SMALL);
        let store = Store::open(Arc::new(fs.clone()), &dir()).expect("a new store");
        let mut log = store.log_store();
        log.save_vote(&Vote::new(1, 1)).await.expect("saved");
        let mut acknowledged = 0;
        for index in 0..2_000 {
            let Ok(flushed) = append(&mut log, vec![entry(1, index, 20_000)]).await else {
                break;
            };
            if flushed.await.is_err() {
                break;
            }
            acknowledged = index + 1;
        }
        let failure = store.failed().borrow().clone().expect("the disk filled up");
        assert!(
            failure.contains("raft.redb") && failure.contains("os error 28"),
            "{failure}"
        );
        drop((log, store));
        let found = contents_of(&fs, &dir()).expect("it opens on the disk that is still full");
        assert_eq!(found.entries.len() as u64, acknowledged);
    });
}

/// Proves that a snapshot is foreseen on a disk that is almost full: one that fits beside the
/// others is made, with the ballast given up for it; openraft's own is put off when it does not
/// fit, and the process goes on.
#[test]
fn a_snapshot_without_room_is_put_off() {
    block_on(async {
        let fs = SimFs::new(SMALL);
        let store = Store::open(Arc::new(fs.clone()), &dir()).expect("a new store");
        let snapshots = store.snapshots();
        let gap = Duration::from_secs(5);
        let opened = StateMachine::open(snapshots.clone(), "test", 1, gap, Beat::start()).await;
        let (mut machine, replica) = opened.expect("nothing is there");
        apply_large(&replica);
        let body_bytes = replica.registry().counted_bytes() as u64;
        assert!(body_bytes > 3_000_000, "{body_bytes}");
        assert!(machine.try_create_snapshot_builder(false).await.is_some());

        // Used by others, but for what the snapshot and the least room for the log need.
        let floor_bytes = store.space().expect("space").floor_bytes;
        let used_bytes = SMALL - fs.space(&dir()).expect("asked").free_bytes;
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
    });
}

fn apply_large(replica: &crate::raft::replica::Replica) {
    const STATICS: usize = 4;
    let text = "x".repeat(900_000);
    let statics = (0..STATICS).map(|i| {
        Command::AddStatic(crate::model::StaticService {
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
    replica.apply(&log_id(1, 0), Some(&batch));
}
