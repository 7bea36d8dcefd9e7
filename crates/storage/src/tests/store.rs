//! Single properties of the store on the real file system.

use super::crash::block_on;
use super::script::{append, entry, identity, log_id, snapshot_of};
use crate::codec::ENTRY_BYTES_MAX;
use crate::db::database::{CommitMode, Database};
use crate::db::schema::{FORMAT, key};
use crate::fail_stop::FailStop;
use crate::types::{Member, SnapshotMeta, StoredMembership, Vote};
use crate::vfs::sim::{DiskChange, SimFs};
use crate::wal::file;
use crate::{OpenError, OsFs, SNAPSHOT_BYTES_MAX, Store, layout};
use openraft::Membership;
use openraft::storage::{RaftLogReader, RaftLogStorage};
use redb::ReadableTable;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;

fn open(dir: &Path) -> Result<Store, OpenError> {
    Store::open(Arc::new(OsFs), dir)
}

async fn filled(store: &Store, entries: u64, bytes: usize) {
    let mut log = store.log_store();
    log.save_vote(&Vote::new(1, 1)).await.expect("saved");
    let all = (0..entries).map(|i| entry(1, i, bytes)).collect();
    append(&mut log, all)
        .await
        .expect("queued")
        .await
        .expect("on disk");
}

/// A directory can be open only once at a time. The error names the lock. The directory is released
/// when the last handle is dropped.
#[test]
fn a_second_open_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).expect("a new store");
    let refused = open(dir.path()).expect_err("it is open").to_string();
    assert!(
        refused.contains(&dir.path().join("LOCK").display().to_string()),
        "{refused}"
    );
    let log = store.log_store();
    drop(store);
    assert!(
        matches!(open(dir.path()), Err(OpenError::InUse { .. })),
        "the log is a handle too"
    );
    drop(log);
    open(dir.path()).expect("it is free again");
}

/// A location in which nothing can be created is rejected with its path and the reason.
#[test]
fn a_directory_that_cannot_be_made_is_refused() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let refused = open(&file.path().join("raft")).expect_err("a file is in the way");
    let reason = refused
        .source()
        .map(ToString::to_string)
        .unwrap_or_default();
    let place = file.path().display().to_string();
    assert!(
        refused.to_string().contains(&place) && reason.contains("os error"),
        "{refused}: {reason}"
    );
}

/// All content is still there after the store is closed and opened again. A wipe removes all of it.
#[test]
fn what_was_kept_is_there_until_it_is_wiped() {
    block_on(async {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path().join("data/raft");
        let store = open(&dir).expect("a new store");
        assert!(store.is_pristine() && store.identity().is_none());
        store.save_identity(&identity(2)).await.expect("saved");
        filled(&store, 10, 300).await;
        store
            .log_store()
            .save_committed(Some(log_id(1, 7)))
            .await
            .expect("noted");
        let (meta, body) = snapshot_of(log_id(1, 5), 200_000);
        store.snapshots().save(&meta, &body).expect("saved");
        store.close().await;

        let store = open(&dir).expect("it opens");
        assert_eq!(store.identity(), Some(identity(2)));
        assert_eq!(store.vote(), Some(Vote::new(1, 1)));
        assert_eq!(store.last_log_id(), Some(log_id(1, 9)));
        assert_eq!(
            store.log_store().read_committed().await.expect("read"),
            Some(log_id(1, 7))
        );
        assert_eq!(store.snapshots().load().expect("read"), Some((meta, body)));
        store.wipe().await.expect("wiped");
        assert!(store.is_pristine() && store.identity().is_none());
        assert_eq!(store.snapshots().load().expect("read"), None);
        filled(&store, 2, 300).await;
        store.close().await;
        assert_eq!(
            open(&dir).expect("it opens").last_log_id(),
            Some(log_id(1, 1))
        );
    });
}

/// A replication request gets at most 1 MB but at least one entry, both from disk and from memory.
/// A plain read gets everything.
#[test]
fn reads_are_limited_only_where_they_may_be() {
    block_on(async {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path()).expect("a new store");
        filled(&store, 700, 20_000).await;
        append(&mut store.log_store(), vec![entry(1, 700, 2_000_000)])
            .await
            .expect("queued")
            .await
            .expect("on disk");
        let mut log = store.log_store();
        for reopened in [false, true] {
            let all = log.try_get_log_entries(..).await.expect("read");
            assert!(
                all.iter().map(|e| e.log_id.index).eq(0..701),
                "reopened: {reopened}"
            );
            assert_eq!(all[30], entry(1, 30, 20_000));
            let some = log.limited_get_log_entries(3, 701).await.expect("read");
            assert!(
                some.iter().map(|e| e.log_id.index).eq(3..3 + 52),
                "{} entries",
                some.len()
            );
            let some = log.limited_get_log_entries(690, 701).await.expect("read");
            assert!(
                some.iter().map(|e| e.log_id.index).eq(690..700),
                "{} entries",
                some.len()
            );
            let large = log.limited_get_log_entries(700, 701).await.expect("read");
            assert_eq!(large.len(), 1, "a large entry goes alone");
            if !reopened {
                drop(log);
                store.clone().close().await;
                log = open(dir.path()).expect("it opens").log_store();
            }
        }
    });
}

/// Appends that wait together share an fsync.
#[test]
fn appends_that_wait_share_a_sync() {
    block_on(async {
        let fs = SimFs::new(64 << 20);
        let store = Store::open(Arc::new(fs.clone()), Path::new("/data")).expect("a new store");
        let mut log = store.log_store();
        log.save_vote(&Vote::new(1, 1)).await.expect("saved");
        let syncs = |fs: &SimFs| {
            fs.changes()
                .iter()
                .filter(|e| matches!(e, DiskChange::Sync { .. }))
                .count()
        };
        let before = syncs(&fs);
        let mut waiting = Vec::new();
        for index in 0..1_000 {
            waiting.push(
                append(&mut log, vec![entry(1, index, 300)])
                    .await
                    .expect("queued"),
            );
        }
        for flushed in waiting {
            flushed.await.expect("on disk");
        }
        let shared = syncs(&fs) - before;
        assert!(shared < 500, "{shared} syncs for 1,000 appends");
    });
}

/// An append that would leave a gap is rejected, not written.
#[test]
fn a_hole_is_refused() {
    block_on(async {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path()).expect("a new store");
        filled(&store, 2, 300).await;
        let refused = append(&mut store.log_store(), vec![entry(1, 5, 300)])
            .await
            .err()
            .expect("a hole")
            .to_string();
        assert_eq!(refused, "log index 5 was appended where 2 was expected");
    });
}

/// A directory with a snapshot but without a database is rejected, and not treated as a new
/// directory.
#[test]
fn a_missing_database_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).expect("a new store");
    let (meta, body) = snapshot_of(log_id(1, 5), 10);
    store.snapshots().save(&meta, &body).expect("saved");
    drop(store);
    std::fs::remove_file(dir.path().join("raft.redb")).expect("removed");
    let refused = open(dir.path()).expect_err("it is missing").to_string();
    assert!(
        refused.contains("raft.redb") && refused.contains("it rejoins by itself"),
        "{refused}"
    );
}

/// A directory of a release without a WAL is upgraded completely, no matter at which step a crash
/// interrupts the upgrade. After the upgrade, a release without a WAL rejects the directory.
#[test]
fn a_directory_without_a_journal_gets_one() {
    block_on(async {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path()).expect("a new store");
        filled(&store, 10, 300).await;
        store.close().await;
        let wal_path = dir.path().join(layout::JOURNAL);
        for left in [None, Some(vec![0; file::LENGTH_BYTES as usize])] {
            let (database, _) =
                Database::open(&OsFs, dir.path(), &FailStop::new()).expect("it opens");
            database
                .write(CommitMode::TwoPhases, |_, meta| {
                    meta.remove(key::JOURNAL)?;
                    meta.insert(key::FORMAT, &1u32.to_le_bytes()[..])?;
                    Ok(())
                })
                .expect("it is written");
            database.close().expect("it is closed");
            match left {
                Some(zeros) => std::fs::write(&wal_path, zeros).expect("it is written"),
                None => std::fs::remove_file(&wal_path).expect("it is removed"),
            }
            let store = open(dir.path()).expect("it opens");
            assert_eq!(store.last_log_id(), Some(log_id(1, 9)));
            store.close().await;
            assert!(wal_path.exists());
        }
        let (database, _) = Database::open(&OsFs, dir.path(), &FailStop::new()).expect("it opens");
        database
            .write(CommitMode::OnePhase, |_, meta| {
                let format = meta.get(key::FORMAT)?.map(|found| found.value().to_vec());
                assert_eq!(format, Some(FORMAT.to_le_bytes().to_vec()));
                Ok(())
            })
            .expect("it is read");
    });
}

/// A database and a WAL that do not belong together are rejected, with an error that names the
/// database.
#[test]
fn a_database_without_its_journal_is_refused() {
    block_on(async {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path()).expect("a new store");
        filled(&store, 3, 300).await;
        store.close().await;
        let database = dir.path().join(layout::DATABASE);
        let kept = std::fs::read(&database).expect("it is read");
        std::fs::remove_file(&database).expect("it is removed");
        let refused = open(dir.path()).expect_err("there is no database");
        let said = refused.to_string();
        assert!(
            said.contains(layout::DATABASE) && said.contains("missing"),
            "{said}"
        );

        std::fs::write(&database, kept).expect("it is written");
        let (older, _) = Database::open(&OsFs, dir.path(), &FailStop::new()).expect("it opens");
        let forget = older.write(CommitMode::TwoPhases, |_, meta| {
            meta.remove(key::JOURNAL)?;
            Ok(())
        });
        forget.expect("it is written");
        older.close().expect("it is closed");
        let refused = open(dir.path()).expect_err("the WAL is of another");
        let said = refused.to_string();
        assert!(
            said.contains(layout::DATABASE) && said.contains("does not refer to"),
            "{said}"
        );
    });
}

/// A snapshot that a reader would reject causes an error and leaves no file. The store continues to
/// work. The log is still complete, because nothing is purged for a snapshot that does not exist.
#[test]
fn a_snapshot_that_no_reader_takes_is_not_written() {
    block_on(async {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path()).expect("a new store");
        filled(&store, 10, 300).await;
        let (meta, body) = snapshot_of(log_id(1, 5), 2_000);
        let with_members = |members: Membership<u64, Member>| SnapshotMeta {
            last_membership: StoredMembership::new(Some(log_id(1, 0)), members),
            ..meta.clone()
        };
        let member = |bytes: usize| Member {
            node_id: "c".to_owned(),
            incarnation: 1,
            address: "a".repeat(bytes),
        };
        let large = Membership::new(
            vec![BTreeSet::from([1])],
            BTreeMap::from([(1, member(3 << 20))]),
        )
        .expect("a membership");
        // A peer could send this membership, in which one of the voters is not a member.
        let parts = (
            vec![BTreeSet::from([1u64, 2])],
            BTreeMap::from([(1u64, member(9))]),
        );
        let bytes = postcard::to_allocvec(&parts).expect("to memory");
        let incomplete: Membership<u64, Member> = postcard::from_bytes(&bytes).expect("unchecked");
        for (what, refused) in [
            ("large", with_members(large)),
            ("incomplete", with_members(incomplete)),
        ] {
            let error = store.snapshots().save(&refused, &body).expect_err(what);
            assert!(error.to_string().contains("membership"), "{what}: {error}");
        }
        let too_large = vec![0; SNAPSHOT_BYTES_MAX as usize + 1];
        let error = store
            .snapshots()
            .save(&meta, &too_large)
            .expect_err("its body is too large");
        assert!(error.to_string().contains("limit is 536870912"), "{error}");
        assert_eq!(store.snapshots().load().expect("none is there"), None);
        store
            .snapshots()
            .save(&meta, &body)
            .expect("the store goes on");
        assert!(store.failed().borrow().is_none());
        store.close().await;
        let store = open(dir.path()).expect("it opens");
        assert_eq!(store.snapshots().load().expect("read"), Some((meta, body)));
        assert_eq!(store.last_log_id(), Some(log_id(1, 9)));
        store.close().await;
    });
}

/// An entry that is too large for one frame of the protocol between nodes causes an error, and is
/// not added to the log.
#[test]
fn an_entry_that_no_frame_holds_is_not_written() {
    block_on(async {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path()).expect("a new store");
        filled(&store, 2, 300).await;
        let too_large = entry(1, 2, ENTRY_BYTES_MAX);
        let Err(error) = append(&mut store.log_store(), vec![too_large]).await else {
            panic!("it was taken");
        };
        assert!(error.to_string().contains("log index 2"), "{error}");
        assert_eq!(store.last_log_id(), Some(log_id(1, 1)));
        assert!(store.failed().borrow().is_none());
        store.close().await;
    });
}
