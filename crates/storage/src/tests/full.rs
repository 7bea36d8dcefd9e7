//! Behavior of the store on a full disk.

use super::crash::block_on;
use super::script::{Run, ScriptStep, append, contents_of, dir, entry, log_id, snapshot_of};
use crate::Store;
use crate::types::Vote;
use crate::vfs::sim::SimFs;
use openraft::storage::RaftLogStorage;
use std::sync::Arc;

const SMALL: u64 = 12 << 20;

/// The floor of free space is reached before any write fails. A snapshot and a purge still succeed
/// below the floor. The space that the purge frees is detected and reused.
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
        assert!(store.failed().borrow().is_none());
        store.close().await;
    });
}

/// The ballast, a file that is deleted when space is needed, lets a purge commit after other
/// programs have taken all the space.
#[test]
fn a_purge_commits_when_others_filled_the_disk() {
    block_on(async {
        let fs = SimFs::new(SMALL);
        let mut run = Run::new(fs.clone());
        run.play(&[
            ScriptStep::Vote(1, true),
            ScriptStep::Append(vec![3_000; 300]),
        ])
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
        assert_eq!(found.recovered.purged, Some(log_id(1, 290)));
    });
}

fn fs_free(store: &Store) -> u64 {
    store.space().expect("space").free_bytes
}

/// A write that finds no space is not acknowledged and stops the store. Everything acknowledged is
/// there when the store opens while the disk is still full.
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
        let failure = failure.to_string();
        assert!(
            failure.contains("raft.redb") && failure.contains("os error 28"),
            "{failure}"
        );
        drop((log, store));
        let found = contents_of(&fs, &dir()).expect("it opens on the disk that is still full");
        assert_eq!(found.entries.len() as u64, acknowledged);
    });
}
