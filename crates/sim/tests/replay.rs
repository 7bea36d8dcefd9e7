//! Tests that a seed determines its run.

use quorate_sim::{Planted, run_apart};
use std::path::Path;

/// A seed that is run twice produces the same trace, line by line, while another seed produces a
/// different trace.
#[test]
fn a_seed_run_twice_gives_one_trace() {
    let program = Path::new(env!("CARGO_BIN_EXE_quorate-sim"));
    let run = |seed| run_apart(program, seed, Planted::Nothing).1;
    for seed in [3, 11, 42, 77] {
        let once = run(seed);
        assert!(once.lines().count() > 100, "{once}");
        assert_eq!(once, run(seed));
        assert_ne!(once, run(seed + 1));
    }
}
