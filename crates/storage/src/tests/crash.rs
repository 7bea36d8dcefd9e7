//! Power cuts at every point of a script.

use super::judge::Matches;
use super::script::{
    CAPACITY, Contents, Run, ScriptStep, contents_of, contents_of_image, dir, log_id,
};
use super::scripts::{everything, long};
use super::slices::in_slices;
use crate::BlockingExecutor;
use crate::open::open_directory;
use crate::vfs::sim::{Crash, CrashRandom, DiskChange, DiskImage, SimFs, digest_of};
use std::collections::HashMap;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

/// Minimum number of different images of the long script that are opened.
const IMAGES_MIN: usize = 30_000;

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(60), future)
            .await
            .expect("the script ends")
    })
}

fn played(steps: &[ScriptStep]) -> Run {
    let mut run = Run::new(SimFs::new(CAPACITY));
    block_on(run.play(steps)).expect("a new directory opens");
    let last = run.history.len() - 1;
    let found = contents_of(&run.fs, &dir()).expect("it opens");
    run.judge(&found, &[last], last)
        .expect("the script went through");
    run
}

/// The results for the images of a run.
#[derive(Debug, Default)]
struct Examined {
    /// The number of different images that were opened.
    opened: usize,
    /// The number of times that an image was judged at a point of the run.
    judged: usize,
    wrong: usize,
    first_wrong: Option<String>,
}

impl Examined {
    fn assert_right(&self) {
        assert_eq!(self.wrong, 0, "{:?}", self.first_wrong);
        println!(
            "{} different images opened, judged at {} points",
            self.opened, self.judged
        );
    }
}

impl AddAssign for Examined {
    fn add_assign(&mut self, other: Self) {
        self.opened += other.opened;
        self.judged += other.judged;
        self.wrong += other.wrong;
        self.first_wrong = self.first_wrong.take().or(other.first_wrong);
    }
}

/// Opens every image that a crash of a run can leave, and calls `also` with the image and its
/// content. If crashes at several points can leave the same image, the image is opened only once,
/// but its content is judged for each of these points.
fn examine(
    run: &Run,
    changes: &[DiskChange],
    sampled: usize,
    also: impl Fn(DiskImage, &Contents) + Sync,
) -> Examined {
    let slices = in_slices(|slice, slices| {
        let mut random = CrashRandom(0x9E37_79B9_7F4A_7C15);
        let mut seen: HashMap<u64, Result<Matches, String>> = HashMap::new();
        let mut examined = Examined::default();
        let mut point = 0;
        Crash::default().walk(changes, |crash| {
            point += 1;
            let owed = run.owed_at(crash);
            for image in crash.images(&mut random, sampled) {
                let digest = digest_of(&image);
                if digest as usize % slices != slice {
                    continue;
                }
                let found = seen.entry(digest).or_insert_with(|| {
                    examined.opened += 1;
                    let found = contents_of_image(image.clone()).map_err(|e| e.to_string())?;
                    also(image, &found);
                    Ok(run.matches(&found))
                });
                examined.judged += 1;
                let judged = match found {
                    Ok(found) => run.settle(found, owed),
                    Err(refused) => Err(refused.clone()),
                };
                if let Err(wrong) = judged {
                    examined.wrong += 1;
                    let first = || format!("point {point}, image {digest:x}: {wrong}");
                    examined.first_wrong.get_or_insert_with(first);
                }
            }
        });
        examined
    });
    let mut all = Examined::default();
    for slice in slices {
        all += slice;
    }
    all
}

/// Nothing acknowledged is lost if a follower acknowledges a snapshot from its leader, and crashes
/// before its own log is purged. Such a crash is possible because the purge is not awaited.
#[test]
fn a_snapshot_received_counts_before_the_log_is_purged() {
    const SNAPSHOT: usize = 3;
    let run = played(&[
        ScriptStep::Vote(1, true),
        ScriptStep::Append(vec![300; 5]),
        ScriptStep::Snapshot(9, 100_000),
        ScriptStep::Purge(9),
        ScriptStep::Append(vec![300]),
    ]);
    let acknowledged = Some(log_id(1, 9));
    let mut random = CrashRandom(0x9E37_79B9_7F4A_7C15);
    let (mut judged, mut behind) = (0, 0);
    Crash::default().walk(&run.fs.changes(), |crash| {
        if !crash.acknowledged.contains(&SNAPSHOT) {
            return;
        }
        for image in crash.images(&mut random, 100) {
            let fs = Arc::new(SimFs::of_image(image, CAPACITY, false));
            let opened = open_directory(fs, &dir(), BlockingExecutor::Threads).expect("it opens");
            judged += 1;
            behind += usize::from(opened.recovered.last < acknowledged);
            assert!(opened.reach() >= acknowledged, "{:?}", opened.recovered);
        }
    });
    println!("{judged} images, in {behind} of them the log was behind the snapshot");
    assert!(behind > 0, "nothing was tried");
}

/// The power is cut after every operation of a script of 200 steps. After each power cut the store
/// opens, and everything acknowledged is unchanged. This holds no matter which unsynced changes are
/// kept, lost or torn.
#[test]
fn nothing_acknowledged_is_lost_in_a_power_cut() {
    let run = played(&long());
    let examined = examine(&run, &run.fs.changes(), 500, |_, _| {});
    examined.assert_right();
    assert!(
        examined.opened >= IMAGES_MIN,
        "only {} images",
        examined.opened
    );
}

/// No power cut loses or changes anything acknowledged, even if entries and snapshots take many
/// pages and blocks.
#[test]
fn nothing_large_is_lost_in_a_power_cut() {
    let run = played(&everything());
    let examined = examine(&run, &run.fs.changes(), 10, |_, _| {});
    examined.assert_right();
    assert!(examined.opened > 3_000, "only {} images", examined.opened);
}

/// No power cut loses or changes anything acknowledged while the WAL is repeatedly filled and moved
/// to the database.
#[test]
fn nothing_is_lost_when_the_journal_is_full() {
    let mut steps = vec![ScriptStep::Vote(1, true)];
    steps.extend((0..40).map(|size| ScriptStep::Append(vec![300 + size])));
    steps.extend([ScriptStep::Vote(2, true), ScriptStep::Truncate(30)]);
    steps.extend((0..20).map(|_| ScriptStep::Burst(vec![200, 5_000])));
    let run = played(&steps);
    let examined = examine(&run, &run.fs.changes(), 20, |_, _| {});
    examined.assert_right();
    assert!(examined.opened > 500, "only {} images", examined.opened);
}

/// A second power cut, while the store opens after the first one, changes nothing. At the next open
/// the store has the same content.
#[test]
fn a_power_cut_during_recovery_changes_nothing() {
    let run = played(&everything());
    let images = std::sync::atomic::AtomicUsize::new(0);
    let examined = examine(&run, &run.fs.changes(), 1, |image, found| {
        let digest = digest_of(&image);
        if !digest.is_multiple_of(128) {
            return;
        }
        let mut random = CrashRandom(digest | 1);
        let fs = SimFs::of_image(image.clone(), CAPACITY, true);
        contents_of(&fs, &dir()).expect("it opened before");
        Crash::after(&image).walk(&fs.changes(), |crash| {
            for image in crash.images(&mut random, 1) {
                images.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                assert_eq!(&contents_of_image(image).expect("it opens again"), found);
            }
        });
    });
    examined.assert_right();
    let images = images.into_inner();
    println!("{images} images of a recovery");
    assert!(images > 300, "only {images} images");
}

/// A process makes the unsynced changes of a killed process durable before it relies on them. The
/// test kills the store at a point, opens the directory again, writes to it, and cuts the power.
#[test]
fn a_power_cut_after_a_kill_loses_nothing_that_was_seen() {
    let run = played(&everything());
    let changes = run.fs.changes();
    let more = [
        ScriptStep::Vote(20, true),
        ScriptStep::Append(vec![300]),
        ScriptStep::Reopen,
    ];
    let mut images = 0;
    for killed_at in (3..changes.len()).step_by(41) {
        let fs = SimFs::of_changes(&changes[..killed_at], CAPACITY);
        let seen =
            contents_of(&fs, &dir()).unwrap_or_else(|e| panic!("killed at {killed_at}: {e}"));
        let mut next = Run::from(fs, seen);
        next.committed.clone_from(&run.committed);
        block_on(next.play(&more)).expect("it opens");
        let mut random = CrashRandom(killed_at as u64);
        Crash::default().walk(&next.fs.changes(), |crash| {
            if crash.began == 0 {
                return;
            }
            for image in crash.images(&mut random, 1) {
                images += 1;
                let found = contents_of_image(image)
                    .unwrap_or_else(|e| panic!("killed at {killed_at}: {e}"));
                if let Err(wrong) = next.judge(&found, &crash.acknowledged, crash.began) {
                    panic!("killed at {killed_at}: {wrong}");
                }
            }
        });
    }
    println!("{images} images");
    assert!(images > 300, "only {images} images");
}

/// A purge deletes many entries in slices, between other commits. After a power cut between two
/// slices, the purge still counts either as a whole or not at all.
#[test]
fn a_power_cut_between_slices_of_a_purge_changes_nothing() {
    let steps = [
        ScriptStep::Vote(1, true),
        ScriptStep::Append(vec![20; 4_500]),
        ScriptStep::Snapshot(4_400, 100),
        ScriptStep::Purge(4_400),
        ScriptStep::Append(vec![300]),
        ScriptStep::Append(vec![300]),
    ];
    let run = played(&steps);
    let examined = examine(&run, &run.fs.changes(), 1, |_, _| {});
    examined.assert_right();
    assert!(examined.opened > 100, "only {} images", examined.opened);
}

/// Returns the number of images of a run that are rejected or have wrong content.
fn wrong_images(run: &Run, changes: &[DiskChange]) -> usize {
    examine(run, changes, 1, |_, _| {}).wrong
}

/// The tests of power cuts are effective: they detect a disk that lies about its syncs, a directory
/// that is never synced, and a store that acknowledges before it syncs.
#[test]
fn a_missing_sync_is_caught() {
    let run = played(&everything()[..18]);
    let changes = run.fs.changes();
    assert_eq!(wrong_images(&run, &changes), 0);
    let without = |sync: fn(&DiskChange) -> bool| -> Vec<DiskChange> {
        changes.iter().filter(|e| !sync(e)).cloned().collect()
    };
    assert!(
        wrong_images(&run, &without(|e| matches!(e, DiskChange::Sync { .. }))) > 0,
        "content that is not synced"
    );
    assert!(
        wrong_images(&run, &without(|e| matches!(e, DiskChange::SyncDir { .. }))) > 0,
        "names that are not synced"
    );
    let mut early = changes.clone();
    for at in 1..early.len() {
        if matches!(early[at], DiskChange::Acknowledged(_)) {
            let sync = early[..at]
                .iter()
                .rposition(|e| matches!(e, DiskChange::Sync { .. }))
                .expect("a sync came before");
            let acknowledged = early.remove(at);
            early.insert(sync, acknowledged);
        }
    }
    assert!(
        wrong_images(&run, &early) > 0,
        "acknowledged before the sync"
    );
}
