//! Every operation on the disk fails once.

use super::crash::block_on;
use super::script::{
    CAPACITY, Contents, Run, Step, append, contents_of, contents_of_image, dir, entry, log_id,
    snapshot_of,
};
use super::scripts::long;
use super::slices::in_slices;
use crate::storage::types::{LogId, Vote};
use crate::storage::vfs::sim::{Crash, Event, Fault, Image, Random, SimFs};
use crate::storage::{OpenError, Store};
use openraft::storage::RaftLogStorage;
use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Arc;

/// Everything that writes refuses.
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

/// The steps between two times that the store is opened, and what it finds then.
struct Session {
    steps: Vec<Step>,
    image: Image,
    contents: Contents,
    committed: Vec<LogId>,
    operations: u64,
}

/// The sessions of a script.
fn sessions(steps: &[Step]) -> Vec<Session> {
    let mut image = Image::new();
    let mut committed = Vec::new();
    let mut sessions = Vec::new();
    for steps in steps.split(|step| matches!(step, Step::Reopen)) {
        let contents = match image.is_empty() {
            true => Contents::default(),
            false => contents_of_image(image.clone()).expect("it was closed in order"),
        };
        let mut session = Session {
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

impl Session {
    fn run(&self) -> Run {
        let fs = SimFs::of_image(self.image.clone(), CAPACITY, true);
        let mut run = Run::from(fs, self.contents.clone());
        run.committed.clone_from(&self.committed);
        run
    }

    /// What a failure of the n-th operation came to, and what it struck.
    fn fail(&self, n: u64, fault: Fault) -> Result<Option<(String, Outcome)>, String> {
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
                if outcome != Outcome::Tolerated {
                    nothing_tried_again(&run.fs, &struck)?;
                }
                self.nothing_lost(&run, n)?;
                Ok(Some((struck.clone(), outcome)))
            })
            .map_err(|wrong| format!("{struck} (operation {n}): {wrong}"))
    }

    /// Power goes now: what was acknowledged is there, whatever happened to the rest. And if it
    /// does not go, it is there too.
    fn nothing_lost(&self, run: &Run, n: u64) -> Result<(), String> {
        let mut random = Random(n + 1);
        let crash = Crash::after(&self.image).at_end(&run.fs.journal());
        let left = crash.images(&mut random, 1);
        let owed = run.owed_at(&crash);
        // The first keeps nothing of what was not synced, the last all of it.
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
enum Outcome {
    /// The store was open, and takes nothing any more.
    Latched,
    /// It was not opened.
    Refused,
    /// It does not matter.
    Tolerated,
}

fn outcome(
    run: &Run,
    played: &Result<(), OpenError>,
    fault: Fault,
    struck: &str,
) -> Result<Outcome, String> {
    match played {
        Err(refused) => {
            // Only what is damaged may be thrown away.
            let OpenError::NotWritable { .. } = refused else {
                return Err(format!("wrongly refused: {refused}"));
            };
            if !refused.to_string().contains("/data") {
                return Err(format!("{refused} names no file"));
            }
            Ok(Outcome::Refused)
        }
        // The ballast is a precaution: without room for it, there is none.
        Ok(()) if struck.contains("ballast") && fault != Fault::Io => Ok(Outcome::Tolerated),
        Ok(()) => {
            let failure = run.failure().ok_or("nothing was latched")?;
            if !failure.contains("/data") || !failure.contains("os error") {
                return Err(format!("{failure} does not say where and why"));
            }
            if run.is_open() {
                block_on(refuses_everything(&run.store()))?;
            }
            Ok(Outcome::Latched)
        }
    }
}

/// After a failed write or sync nobody knows what the device holds: a second one would prove nothing.
fn nothing_tried_again(fs: &SimFs, struck: &str) -> Result<(), String> {
    let changing = ["write", "sync", "set the length"];
    if !changing.iter().any(|what| struck.starts_with(what)) {
        return Ok(());
    }
    match fs.since_struck().first() {
        None => Ok(()),
        Some(Event::Write { offset, .. }) => Err(format!("it was written after it, at {offset}")),
        Some(Event::SetLen { len, .. }) => Err(format!("its length was set to {len} after it")),
        Some(_) => Err("it was synced after it".to_owned()),
    }
}

/// What the failures of many operations came to.
#[derive(Debug, Default)]
struct Tally {
    latched: usize,
    refused: usize,
    /// By the operation and the file.
    struck: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.latched += other.latched;
        self.refused += other.refused;
        self.wrong.extend(other.wrong);
        for (what, times) in other.struck {
            *self.struck.entry(what).or_default() += times;
        }
    }
}

/// Fails every operation of a script, each in a run of its own.
fn fail_each(sessions: &[Session], fault: Fault) -> Tally {
    let slices = in_slices(|slice, slices| {
        let mut tally = Tally::default();
        for session in sessions {
            for n in (1 + slice as u64..=session.operations).step_by(slices) {
                match session.fail(n, fault) {
                    Ok(None) => continue,
                    Ok(Some((struck, outcome))) => {
                        tally.latched += usize::from(outcome == Outcome::Latched);
                        tally.refused += usize::from(outcome == Outcome::Refused);
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

/// Proves that the first failed operation, whichever it is of a script of 200 steps, is latched
/// with its file and reason, that what failed to be written or synced is not tried again, that
/// nothing more is acknowledged, and that nothing acknowledged is lost.
#[test]
fn a_failed_operation_stops_the_store() {
    let sessions = sessions(&long());
    let operations: u64 = sessions.iter().map(|s| s.operations).sum();
    let tally = fail_each(&sessions, Fault::Io);
    assert_eq!(tally.wrong, Vec::<String>::new());
    let failed: usize = tally.struck.values().sum();
    println!(
        "{failed} of {operations} operations failed: {} latched, {} refused at open; {:#?}",
        tally.latched, tally.refused, tally.struck
    );
    // How appends are batched, and when there is time for a seal, is not the same in each run.
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

/// Proves the same for an operation that finds no space, and one that finds half of what it needs.
#[test]
fn an_operation_without_space_stops_the_store() {
    let sessions = sessions(&long());
    for fault in [Fault::Full, Fault::Short] {
        let tally = fail_each(&sessions, fault);
        assert_eq!(tally.wrong, Vec::<String>::new());
        println!(
            "{fault:?}: {} latched, {} refused",
            tally.latched, tally.refused
        );
        assert!(tally.latched > 1_000, "{tally:?}");
    }
}

/// Proves that these tests can fail: of a disk that lies about one of its syncs every sync is
/// noticed, since nothing is latched.
#[test]
fn a_failure_that_is_not_told_is_caught() {
    let sessions = sessions(&long()[..20]);
    let tally = fail_each(&sessions, Fault::Unsaid);
    assert_eq!(tally.struck, BTreeMap::new());
    let syncs = tally.wrong.len();
    assert!(syncs > 20, "{syncs} syncs");
}

/// Proves that a failure during the idle seal, which no one waits for, is latched too.
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
        fs.fail_operation(1, Fault::Io);
        failed
            .wait_for(Option::is_some)
            .await
            .expect("it is latched");
        refuses_everything(&store).await.expect("it is stopped");
    });
}
