//! Power cuts at every point of a script.

use super::script::{
    CAPACITY, Contents, Run, Step, contents_of, contents_of_image, dir, everything,
};
use crate::raft::disk::sim::{Crash, Event, Image, Random, SimFs};
use std::time::Duration;

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

fn played(steps: &[Step]) -> Run {
    let mut run = Run::new(SimFs::new(CAPACITY));
    block_on(run.play(steps)).expect("a new directory opens");
    run
}

/// Opens every image of every crash of a run, and judges it. How many there were.
fn judge_every_crash(
    run: &Run,
    start: Crash,
    sampled: usize,
    mut also: impl FnMut(Image, &Contents),
) -> usize {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut images = 0;
    start.walk(&run.fs.journal(), |crash| {
        for image in crash.images(&mut random, sampled) {
            images += 1;
            let found =
                contents_of_image(image.clone()).unwrap_or_else(|e| panic!("image {images}: {e}"));
            if let Err(wrong) = run.judge(&found, &crash.acknowledged, crash.began) {
                panic!("image {images}: {wrong}");
            }
            also(image, &found);
        }
    });
    images
}

/// Proves that no power cut loses or changes anything acknowledged, whatever of the unsynced is
/// kept, lost or torn, and that what it leaves always opens.
#[test]
fn nothing_acknowledged_is_lost_in_a_power_cut() {
    let run = played(&everything());
    assert_eq!(
        run.history.len() - 1,
        contents_len(&run),
        "every step was acknowledged or is followed by one"
    );
    let images = judge_every_crash(&run, Crash::default(), 56, |_, _| {});
    println!("{images} images");
    assert!(images > 3_000, "only {images} images");
}

fn contents_len(run: &Run) -> usize {
    let found = contents_of(&run.fs, &dir()).expect("it opens");
    run.judge(&found, &[run.history.len() - 1], run.history.len() - 1)
        .expect("the last state");
    run.history.len() - 1
}

/// Proves that a power cut while the store opens after a power cut changes nothing either.
#[test]
fn a_power_cut_during_recovery_changes_nothing() {
    let run = played(&everything());
    let mut random = Random(7);
    let (mut nth, mut images) = (0, 0);
    judge_every_crash(&run, Crash::default(), 2, |image, found| {
        nth += 1;
        if nth % 16 != 0 {
            return;
        }
        let fs = SimFs::of_image(image.clone(), CAPACITY, true);
        contents_of(&fs, &dir()).expect("it opened before");
        Crash::after(&image).walk(&fs.journal(), |crash| {
            for image in crash.images(&mut random, 4) {
                images += 1;
                assert_eq!(&contents_of_image(image).expect("it opens again"), found);
            }
        });
    });
    println!("{images} images");
    assert!(images > 300, "only {images} images");
}

/// Proves that what a killed process left unsynced, and the next one saw, is durable before that
/// one relies on it: killed at a point, opened, written to, and then cut off.
#[test]
fn a_power_cut_after_a_kill_loses_nothing_that_was_seen() {
    let run = played(&everything());
    let journal = run.fs.journal();
    let more = [Step::Vote(20, true), Step::Append(vec![300]), Step::Reopen];
    let mut images = 0;
    for killed_at in (3..journal.len()).step_by(23) {
        let fs = SimFs::of_journal(&journal[..killed_at], CAPACITY);
        let seen =
            contents_of(&fs, &dir()).unwrap_or_else(|e| panic!("killed at {killed_at}: {e}"));
        let mut next = Run::from(fs, seen);
        next.committed.clone_from(&run.committed);
        block_on(next.play(&more)).expect("it opens");
        let mut random = Random(killed_at as u64);
        Crash::default().walk(&next.fs.journal(), |crash| {
            if crash.began == 0 {
                return;
            }
            for image in crash.images(&mut random, 3) {
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

/// Proves that a purge of many entries, which is deleted in slices between other commits, is
/// whole after a power cut between them.
#[test]
fn a_power_cut_between_slices_of_a_purge_changes_nothing() {
    let steps = [
        Step::Vote(1, true),
        Step::Append(vec![20; 4_500]),
        Step::Snapshot(4_400, 100),
        Step::Purge(4_400),
        Step::Append(vec![300]),
        Step::Append(vec![300]),
    ];
    let run = played(&steps);
    let images = judge_every_crash(&run, Crash::default(), 4, |_, _| {});
    println!("{images} images");
    assert!(images > 100, "only {images} images");
}

/// How many images of a journal are refused or hold something else than they must.
fn wrong_images(run: &Run, journal: &[Event]) -> usize {
    let mut random = Random(5);
    let mut wrong = 0;
    Crash::default().walk(journal, |crash| {
        for image in crash.images(&mut random, 3) {
            let judged = contents_of_image(image)
                .map(|found| run.judge(&found, &crash.acknowledged, crash.began));
            wrong += usize::from(!matches!(judged, Ok(Ok(()))));
        }
    });
    wrong
}

/// Proves that these tests can fail: a disk that lies about its syncs, a directory that is never
/// synced, and a store that acknowledges before it syncs are all caught.
#[test]
fn a_missing_sync_is_caught() {
    let run = played(&everything());
    let journal = run.fs.journal();
    assert_eq!(wrong_images(&run, &journal), 0);
    let without = |sync: fn(&Event) -> bool| -> Vec<Event> {
        journal.iter().filter(|e| !sync(e)).cloned().collect()
    };
    assert!(
        wrong_images(&run, &without(|e| matches!(e, Event::Sync { .. }))) > 0,
        "content that is not synced"
    );
    assert!(
        wrong_images(&run, &without(|e| matches!(e, Event::SyncDir { .. }))) > 0,
        "names that are not synced"
    );
    let mut early = journal.clone();
    for at in 1..early.len() {
        if matches!(early[at], Event::Acknowledged(_)) {
            let sync = early[..at]
                .iter()
                .rposition(|e| matches!(e, Event::Sync { .. }))
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
