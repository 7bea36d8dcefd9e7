//! Power cuts at every point of a script.

use super::script::{CAPACITY, Contents, Run, Step, contents_of, contents_of_image, dir, everything};
use crate::raft::disk::sim::{Crash, Image, Random, SimFs};
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
fn judge_every_crash(run: &Run, start: Crash, sampled: usize, mut also: impl FnMut(Image, &Contents)) -> usize {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut images = 0;
    start.walk(&run.fs.journal(), |crash| {
        for image in crash.images(&mut random, sampled) {
            images += 1;
            let found = contents_of_image(image.clone()).unwrap_or_else(|e| panic!("image {images}: {e}"));
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
