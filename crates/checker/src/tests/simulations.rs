//! Tests of both layers with random histories.
//!
//! The registry keeps its promises, or breaks one of them.

use crate::certificate::certify;
use crate::groups::check_groups;
use crate::history::Operation;
use crate::log::CommittedLog;
use crate::simulated::{PlanShape, Simulated, SimulatedBug, garble, max_age, simulate};

const NARROW: PlanShape = PlanShape {
    clients: 6,
    nodes: 4,
    groups: 2,
    operations: 150,
    write_percent: 40,
    unknown_percent: 8,
    abandons: false,
    is_wide: false,
};

const WIDE: PlanShape = PlanShape {
    nodes: 9,
    groups: 4,
    abandons: true,
    is_wide: true,
    ..NARROW
};

fn is_linearizable(history: &[Operation]) -> bool {
    check_groups(history, max_age(), &mut || false).is_linearizable()
}

fn holds(history: &[Operation], log: Option<&CommittedLog>) -> bool {
    certify(history, log, max_age()).holds()
}

fn without_arrivals(mut history: Vec<Operation>) -> Vec<Operation> {
    for operation in &mut history {
        operation.arrived_ns = None;
    }
    history
}

/// Returns the log without its first half, as if the entries before the middle had been purged.
fn second_half(log: &CommittedLog) -> CommittedLog {
    let from_index = log.to_index / 2;
    let entries = log.entries.iter();
    CommittedLog {
        from_index,
        is_complete: false,
        entries: entries
            .filter(|entry| entry.index >= from_index)
            .cloned()
            .collect(),
        ..*log
    }
}

/// Neither layer raises a false alarm. The second layer is tested with the whole log, with half of
/// it, and without a log. The test uses 600 histories of 150 operations.
#[test]
fn histories_that_keep_the_promises_pass() {
    for seed in 0..300 {
        for shape in [&NARROW, &WIDE] {
            let Simulated { history, log } = simulate(seed, shape, None);
            let report = check_groups(&history, max_age(), &mut || false);
            assert!(
                report.is_linearizable(),
                "seed {seed}: {}",
                report.explain(&history)
            );
            for log in [None, Some(&log), Some(&second_half(&log))] {
                let certificate = certify(&history, log, max_age());
                assert!(
                    certificate.holds(),
                    "seed {seed}, log {}: {}",
                    log.map_or(0, |log| log.entries.len()),
                    certificate.explain(&history)
                );
            }
        }
    }
}

/// Every history that the second layer accepts, with the log or without it, is also accepted by the
/// first layer. The test uses 2,100 histories with bugs of every kind and 700 garbled histories.
#[test]
fn what_has_a_certificate_is_linearizable() {
    let mut certified = 0;
    for seed in 0..2_800 {
        let is_garbled = seed % 4 == 0;
        let bug =
            (!is_garbled).then(|| SimulatedBug::ALL[seed as usize / 4 % SimulatedBug::ALL.len()]);
        let Simulated { mut history, log } = simulate(seed, &NARROW, bug);
        if is_garbled {
            garble(seed, &mut history);
        }
        if holds(&history, Some(&log)) {
            certified += 1;
            assert!(is_linearizable(&history), "seed {seed}, {bug:?}");
        }
        // Without the log, the second layer ignores arrivals, since the indexes do not show which
        // changes had an effect. Arrivals are removed, so that the first layer ignores them too.
        let history = without_arrivals(history);
        if holds(&history, None) {
            certified += 1;
            assert!(is_linearizable(&history), "seed {seed}, {bug:?}");
        }
    }
    assert!(certified > 100, "{certified} passed at all");
}

/// In a large part of 100 histories, each layer detects each bug that is visible to the layer. In
/// the other histories, the bug happens to have no visible effect.
#[test]
fn every_bug_is_found() {
    for bug in SimulatedBug::ALL {
        let (mut by_search, mut by_time, mut by_index, mut by_log) = (0, 0, 0, 0);
        for seed in 0..100 {
            let Simulated { history, log } = simulate(seed, &NARROW, Some(bug));
            by_search += usize::from(!is_linearizable(&history));
            by_log += usize::from(!holds(&history, Some(&log)));
            let history = without_arrivals(history);
            by_time += usize::from(!is_linearizable(&history));
            by_index += usize::from(!holds(&history, None));
        }
        println!(
            "{bug:?}: {by_search} by search, {by_time} without arrivals, \
             {by_index} by index, {by_log} by index and log"
        );
        assert!(by_search >= 30, "{bug:?}: {by_search} of 100 by search");
        assert!(by_index >= by_time, "{bug:?}: {by_index} of 100 by index");
        if bug == SimulatedBug::SecondProposal {
            assert_eq!((by_time, by_index), (0, 0), "it shows in the order alone");
        }
        let least = if bug == SimulatedBug::SecondProposal {
            60
        } else {
            75
        };
        assert!(by_log >= least, "{bug:?}: {by_log} of 100 by index and log");
    }
}

/// A seed always yields the same history.
#[test]
fn a_seed_decides_everything() {
    let one = simulate(5, &WIDE, Some(SimulatedBug::StaleLookup));
    let other = simulate(5, &WIDE, Some(SimulatedBug::StaleLookup));
    assert_eq!((&one.history, &one.log), (&other.history, &other.log));
    assert_ne!(
        one.history,
        simulate(6, &WIDE, Some(SimulatedBug::StaleLookup)).history
    );
}
