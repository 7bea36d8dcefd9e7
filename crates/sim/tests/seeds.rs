//! Tests of the simulated cluster with a hundred seeds.

use quorate_sim::{Planted, SimReport, run_apart, run_seeds};
use std::path::Path;
use std::sync::Mutex;

/// An environment variable that ends the test early. If a failure contains the words in the
/// variable, no further seeds are run. `scripts/planted` sets the variable, since it needs only the
/// failure that finds the planted error.
const UNTIL: &str = "QUORATE_SEEDS_UNTIL";

/// No invariant is violated under the faults of a hundred seeds, every cluster serves requests once
/// healed, and enough faults occurred.
#[test]
fn a_hundred_seeds_hold() {
    let until = std::env::var_os(UNTIL).and_then(|words| words.into_string().ok());
    let reports: Mutex<Vec<SimReport>> = Mutex::default();
    let failures = Mutex::new(Vec::new());
    let program = Path::new(env!("CARGO_BIN_EXE_quorate-sim"));
    run_seeds(program, 0..100, Planted::Nothing, |said| match said {
        Ok(report) => {
            reports.lock().expect("no panic").push(report);
            true
        }
        Err(failure) => {
            let is_last = until.as_ref().is_some_and(|words| failure.contains(words));
            failures.lock().expect("no panic").push(failure);
            !is_last
        }
    });
    let failures = failures.into_inner().expect("no panic");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    let reports = reports.into_inner().expect("no panic");
    for (name, least) in [
        ("faults", 2_500),
        ("emptied", 60),
        ("leaders", 250),
        ("expired", 100),
        ("written", 7_500),
        ("unknown", 1_000),
        ("served", 40_000),
        ("unserved", 3_000),
        ("contended", 3_000),
        ("installed", 15),
        ("torn", 300),
    ] {
        let sum: u64 = reports.iter().map(|report| report.number(name)).sum();
        println!("{name}: {sum}");
        assert!(
            sum >= least,
            "{name}: {sum}, at least {least} make the run worth something"
        );
    }
}

/// Seeds that once found a bug, which is fixed now. Seed 230 found the early expiry of an
/// announcement that had waited for its majority. The simulator draws its numbers differently now,
/// so the seed leads to another run. The unit test `earlier_time_is_one_step_at_most` covers the
/// fix.
const FOUND: &[u64] = &[230];

/// No invariant is violated with the seeds that once found a bug. The test is useful only while a
/// seed still leads to the situation of its bug.
#[test]
fn seeds_that_found_something_hold() {
    let program = Path::new(env!("CARGO_BIN_EXE_quorate-sim"));
    for seed in FOUND {
        let (said, _) = run_apart(program, *seed, Planted::Nothing);
        assert!(said.is_ok(), "{}", said.err().unwrap_or_default());
    }
}
