//! Replays the corpora, and mutations of them, on every target.

use peak_alloc::PeakAlloc;
use quorate_fuzz::{Changer, TARGETS, Target};
use std::path::{Path, PathBuf};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Number of mutated inputs for each target.
const CHANGED: usize = 20_000;

fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name);
    let entries = std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("a corpus").path();
            let bytes = std::fs::read(&path).expect("a file of a corpus");
            (path, bytes)
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", dir.display());
    files
}

/// Runs a target, and returns its peak memory.
fn run(target: &Target, input: &[u8]) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    (target.run)(input);
    MEMORY.peak_usage().saturating_sub(before)
}

/// No input of a corpus, and no mutation of an input, causes a panic or a 5xx response. Each input
/// takes at most the memory that its size allows. This is the only test of this file, since memory
/// is counted for the whole process.
#[test]
fn no_input_does_harm() {
    for target in &TARGETS {
        let corpus = corpus(target);
        let bodies: Vec<Vec<u8>> = corpus.iter().map(|(_, bytes)| bytes.clone()).collect();
        // The first run makes one-time allocations, which must not be charged to an input.
        run(target, &bodies[0]);
        let mut changer = Changer::new(1);
        let changed = (0..CHANGED).map(|_| changer.next(&bodies));
        let mut most = 0;
        for input in bodies.iter().cloned().chain(changed) {
            let took = run(target, &input);
            let allowed = target.memory_base_bytes + target.memory_per_byte * input.len();
            most = most.max(took);
            assert!(
                took <= allowed,
                "{}: {took} bytes for an input of {}, more than {allowed}: {:?}",
                target.name,
                input.len(),
                String::from_utf8_lossy(&input)
            );
        }
        println!(
            "{}: {} in the corpus, {CHANGED} changed, {most} bytes at most",
            target.name,
            bodies.len()
        );
    }
}
