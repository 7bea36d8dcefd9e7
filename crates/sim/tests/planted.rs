//! Tests that the checks find planted bugs.

use quorate_sim::{Planted, run_seeds};
use std::path::Path;
use std::sync::Mutex;

/// Number of seeds within which each bug must be found.
const SEEDS: u64 = 40;

/// Asserts that a planted bug is found within [`SEEDS`] seeds, and that the message contains `by`.
fn found(planted: Planted, by: &str) {
    let found = Mutex::new(None);
    let others = Mutex::new(Vec::new());
    let program = Path::new(env!("CARGO_BIN_EXE_quorate-sim"));
    run_seeds(program, 0..SEEDS, planted, |said| match said {
        Err(failure) if failure.contains(by) => {
            *found.lock().expect("no panic") = Some(failure);
            false
        }
        Err(failure) => {
            others.lock().expect("no panic").push(failure);
            true
        }
        Ok(_) => true,
    });
    let found = found.into_inner().expect("no panic");
    let others = others.into_inner().expect("no panic");
    let found = found.unwrap_or_else(|| panic!("{by} was not found: {}", others.join("\n\n")));
    let said = found.lines().find(|line| line.contains(by));
    println!("{planted:?}: {}", said.unwrap_or_default());
}

/// Disks that lose a vote after reporting it as synced are detected.
#[test]
fn a_lost_vote_is_found() {
    found(Planted::LyingDisks, "monotonic vote");
}

/// A lookup served without asking the leader is detected.
#[test]
fn a_stale_read_is_found() {
    found(
        Planted::StaleReads,
        "the index is below an acknowledged one",
    );
}

/// An announcement that expires too early is detected.
#[test]
fn an_early_expiry_is_found() {
    found(Planted::ShortAge, "no early expiry");
}
