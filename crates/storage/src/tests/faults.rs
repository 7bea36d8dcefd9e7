//! A fault in each disk operation of a script, one at a time.

use super::crash::block_on;
use super::script::{
    CAPACITY, Contents, Run, ScriptStep, append, contents_of, contents_of_image, dir, entry,
    log_id, snapshot_of,
};
use super::scripts::long;
use super::slices::in_slices;
use crate::types::{LogId, Vote};
use crate::vfs::sim::{Crash, CrashRandom, DiskChange, DiskImage, IoFault, SimFs};
use crate::{OpenError, Store};
use openraft::storage::RaftLogStorage;
use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Arc;

/// Checks that every operation that writes is rejected.
async fn refuses_everything(store: &Store) -> Result<(), String> {
    let mut log = store.log_store();
    let next = store.last_log_id().map_or(0, |l| l.index + 1);
    let flushed = match append(&mut log, vec![entry(50, next, 300)]).await {
        Ok(flushed) => flushed.await,
        Err(e) => Err(e),
    };
    let (meta, body) = snapshot_of(log_id(50, 500), 10);
    for (what, refused) in [
        ("an append", flushed.is_err()),
        ("a vote", log.save_vote(&Vote::new(50, 1)).await.is_err()),
        ("a truncation", log.truncate_after(None).await.is_err()),
        ("a wipe", store.wipe().await.is_err()),
        ("a snapshot", store.snapshots().save(&meta, &body).is_err()),
    ] {
        if !refused {
            return Err(format!("{what} was acknowledged after a failure"));
        }
    }
    Ok(())
}

/// The steps between two opens of the store, and the content of the disk at the earlier open.
struct FaultSession {
    steps: Vec<ScriptStep>,
    image: DiskImage,
    contents: Contents,
    committed: Vec<LogId>,
    operations: u64,
}

/// Splits a script into its sessions.
fn sessions(steps: &[ScriptStep]) -> Vec<FaultSession> {
    let mut image = DiskImage::new();
    let mut committed = Vec::new();
    let mut sessions = Vec::new();
    for steps in steps.split(|step| matches!(step, ScriptStep::Reopen)) {
        let contents = match image.is_empty() {
            true => Contents::default(),
            false => contents_of_image(image.clone()).expect("it was closed in order"),
        };
        let mut session = FaultSession {
            steps: steps.to_vec(),
            image,
            contents,
            committed: committed.clone(),
            operations: 0,
        };
        let mut whole = session.run();
        block_on(whole.play(&session.steps)).expect("it opens");
        session.operations = whole.fs.operations();
        image = whole.fs.live();
        committed = whole.committed;
        sessions.push(session);
    }
    sessions
}

impl FaultSession {
    fn run(&self) -> Run {
        let fs = SimFs::of_image(self.image.clone(), CAPACITY, true);
        let mut run = Run::from(fs, self.contents.clone());
        run.committed.clone_from(&self.committed);
        run
    }

    /// Makes the n-th operation fail. Returns the operation and file that the fault hit, and the
    /// outcome.
    fn fail(&self, n: u64, fault: IoFault) -> Result<Option<(String, FaultOutcome)>, String> {
        let mut run = self.run();
        run.fs.fail_operation(n, fault);
        let played = block_on(run.play(&self.steps));
        let Some(struck) = run.fs.struck() else {
            block_on(run.close());
            return Ok(None);
        };
        let outcome = outcome(&run, &played, fault, &struck);
        block_on(run.close());
        drop(played);
        outcome
            .and_then(|outcome| {
                if outcome != FaultOutcome::Tolerated {
                    nothing_tried_again(&run.fs, &struck)?;
                }
                self.nothing_lost(&run, n)?;
                Ok(Some((struck.clone(), outcome)))
            })
            .map_err(|wrong| format!("{struck} (operation {n}): {wrong}"))
    }

    /// Checks that everything acknowledged is on the disk, both without and with a power cut at
    /// this point. None or some of the unsynced changes survive the power cut.
    fn nothing_lost(&self, run: &Run, n: u64) -> Result<(), String> {
        let mut random = CrashRandom(n + 1);
        let crash = Crash::after(&self.image).at_end(&run.fs.changes());
        let left = crash.images(&mut random, 1);
        let owed = run.owed_at(&crash);
        // The first image contains none of the unsynced changes, the last one all of them.
        let some = left.len().saturating_sub(1);
        for image in [left.first(), left.get(random.below(some))] {
            let image = image.cloned().unwrap_or_default();
            let found = contents_of_image(image).map_err(|e| e.to_string())?;
            run.settle(&run.matches(&found), owed)?;
        }
        let found = contents_of(&run.fs, &dir()).map_err(|e| e.to_string())?;
        run.settle(&run.matches(&found), owed)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FaultOutcome {
    /// The store was open when the fault hit, and rejects all writes after the fault.
    Stopped,
    /// The store was not opened.
    Refused,
    /// The fault has no consequences.
    Tolerated,
}

fn outcome(
    run: &Run,
    played: &Result<(), OpenError>,
    fault: IoFault,
    struck: &str,
) -> Result<FaultOutcome, String> {
    match played {
        Err(refused) => {
            // A directory that is not damaged must not be reported as damaged, because the
            // operator would discard it.
            let OpenError::NotWritable { .. } = refused else {
                return Err(format!("wrongly refused: {refused}"));
            };
            if !refused.to_string().contains("/data") {
                return Err(format!("{refused} names no file"));
            }
            Ok(FaultOutcome::Refused)
        }
        // The ballast is only a precaution, so the store runs without it if there is no space for
        // it.
        Ok(()) if struck.contains("ballast") && fault != IoFault::Io => Ok(FaultOutcome::Tolerated),
        Ok(()) => {
            let failure = run.failure().ok_or("nothing was recorded")?;
            if !failure.contains("/data") || !failure.contains("os error") {
                return Err(format!("{failure} does not say where and why"));
            }
            if run.is_open() {
                block_on(refuses_everything(&run.store()))?;
            }
            Ok(FaultOutcome::Stopped)
        }
    }
}

/// Checks that a failed write or sync is not retried. After such a failure the content of the
/// device is unknown, so a retry would prove nothing.
fn nothing_tried_again(fs: &SimFs, struck: &str) -> Result<(), String> {
    let changing = ["write", "sync", "set the length"];
    if !changing.iter().any(|what| struck.starts_with(what)) {
        return Ok(());
    }
    match fs.since_struck().first() {
        None => Ok(()),
        Some(DiskChange::Write { offset, .. }) => {
            Err(format!("it was written after it, at {offset}"))
        }
        Some(DiskChange::SetLen { len, .. }) => {
            Err(format!("its length was set to {len} after it"))
        }
        Some(_) => Err("it was synced after it".to_owned()),
    }
}

/// The outcomes of many injected failures.
#[derive(Debug, Default)]
struct Tally {
    stopped: usize,
    refused: usize,
    /// The number of failures by operation and file.
    struck: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.stopped += other.stopped;
        self.refused += other.refused;
        self.wrong.extend(other.wrong);
        for (what, times) in other.struck {
            *self.struck.entry(what).or_default() += times;
        }
    }
}

/// Fails every operation of a script, each in a separate run.
fn fail_each(sessions: &[FaultSession], fault: IoFault) -> Tally {
    let slices = in_slices(|slice, slices| {
        let mut tally = Tally::default();
        for session in sessions {
            for n in (1 + slice as u64..=session.operations).step_by(slices) {
                match session.fail(n, fault) {
                    Ok(None) => continue,
                    Ok(Some((struck, outcome))) => {
                        tally.stopped += usize::from(outcome == FaultOutcome::Stopped);
                        tally.refused += usize::from(outcome == FaultOutcome::Refused);
                        *tally.struck.entry(struck).or_default() += 1;
                    }
                    Err(wrong) => tally.wrong.push(wrong),
                }
            }
        }
        tally
    });
    let mut all = Tally::default();
    for slice in slices {
        all += slice;
    }
    all
}

/// The first failed operation, at any point of a script of 200 steps, stops the store. The failure
/// is recorded with its file and reason. The failed write or sync is not retried, nothing more is
/// acknowledged, and nothing that was acknowledged is lost.
#[test]
fn a_failed_operation_stops_the_store() {
    let sessions = sessions(&long());
    let operations: u64 = sessions.iter().map(|s| s.operations).sum();
    let tally = fail_each(&sessions, IoFault::Io);
    assert_eq!(tally.wrong, Vec::<String>::new());
    let failed: usize = tally.struck.values().sum();
    println!(
        "{failed} of {operations} operations failed: {} stopped, {} refused at open; {:#?}",
        tally.stopped, tally.refused, tally.struck
    );
    // Not every fault hits an operation. The number of operations varies from run to run, because
    // batches are composed differently and seals happen at different times.
    assert!(
        failed as u64 * 100 >= operations * 95,
        "{failed} of {operations}"
    );
    for (what, least) in [
        ("write /data/raft/raft.redb", 500),
        ("sync /data/raft/raft.redb", 150),
        ("write /data/raft/raft.journal", 80),
        ("sync /data/raft/raft.journal", 80),
    ] {
        assert!(tally.struck[what] > least, "{what}: {:?}", tally.struck);
    }
}

/// An operation that finds no space, or half of the space that it needs, stops the store. The
/// failed write is not retried, nothing more is acknowledged, and nothing that was acknowledged is
/// lost. The test checks every operation of a script of 200 steps.
#[test]
fn an_operation_without_space_stops_the_store() {
    let sessions = sessions(&long());
    for fault in [IoFault::Full, IoFault::Short] {
        let tally = fail_each(&sessions, fault);
        assert_eq!(tally.wrong, Vec::<String>::new());
        println!(
            "{fault:?}: {} stopped, {} refused",
            tally.stopped, tally.refused
        );
        assert!(tally.stopped > 1_000, "{tally:?}");
    }
}

/// The tests of failed operations are effective: when the disk lies about one of its syncs, no
/// failure is recorded, and the check of the outcome detects this for every sync.
#[test]
fn a_failure_that_is_not_told_is_caught() {
    let sessions = sessions(&long()[..20]);
    let tally = fail_each(&sessions, IoFault::Unsaid);
    assert_eq!(tally.struck, BTreeMap::new());
    let syncs = tally.wrong.len();
    assert!(syncs > 20, "{syncs} syncs");
}

/// A failure during the idle seal, for which no caller waits, is recorded too.
#[test]
fn a_failed_seal_stops_the_store() {
    block_on(async {
        let fs = SimFs::new(CAPACITY);
        let store = Store::open(Arc::new(fs.clone()), &dir()).expect("a new store");
        let mut failed = store.failed();
        append(&mut store.log_store(), vec![entry(0, 0, 300)])
            .await
            .expect("queued")
            .await
            .expect("on disk");
        fs.fail_operation(1, IoFault::Io);
        failed
            .wait_for(Option::is_some)
            .await
            .expect("it is recorded");
        refuses_everything(&store).await.expect("it is stopped");
    });
}
