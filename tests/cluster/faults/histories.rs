//! Checks that the operations of many clients under overlapping faults are linearizable.

use crate::support::Options;
use crate::support::cluster::FORM_LIMIT;
use crate::support::faults::{Burst, Happened, Kind, Pattern, Stage, Timeline};
use crate::support::recorded::{Recorded, Workload};
use crate::support::until;
use crate::support::workers::Workers;
use quorate::clock;
use quorate_checker::MaxAge;
use quorate_checker::certificate::certify;
use quorate_checker::groups::check_groups;
use quorate_checker::history::Operation;
use quorate_checker::log::CommittedLog;
use std::collections::BTreeSet;
use std::time::Duration;

const MAX_AGE: Duration = Duration::from_secs(3);
const WORKLOAD: Workload = Workload {
    clients: 24,
    groups: 8,
    nodes_per_client: 4,
    rivals: 6,
    seed: 20_260_601,
};
const WORKERS: usize = 4;
/// The durations of the faults. A fault is longer than an election and at most as long as max-age.
const PATTERN: Pattern = Pattern {
    lasts: Duration::from_millis(1_000)..Duration::from_millis(2_000),
    staggers: Duration::from_millis(100)..Duration::from_millis(1_000),
    more_percent: 60,
    most: 3,
};
/// Number of requests that must be served between two bursts of faults, so that each burst happens
/// under traffic.
const CALM: u64 = 100;
/// Minimum number of operations. A run with fewer proves too little.
const OPERATIONS_MIN: usize = 25_000;
/// Number of operations up to which some node must still have the whole log. In a longer run every
/// node may have lost its beginning: a long log is purged, and an emptied node gets a snapshot in
/// place of old entries. The check against the log then places the changes before the beginning of
/// the log by the lookups that need them.
const OPERATIONS_LOGGED: usize = 150_000;
/// Maximum number of bursts. A run that has not covered every kind of fault by then never will.
const BURSTS_MAX: usize = 60;
/// Timeout of the search for an order of the history. A correct history is checked in a second or
/// two.
const JUDGED_WITHIN: Duration = Duration::from_secs(60);

/// The observations of all clients are linearizable while the cluster's processes, disks, clocks
/// and links fail. There are 26 kinds of faults, alone and together. Besides 24 clients, there are
/// six pairs of clients. The clients of a pair write the same node ids through different nodes. No
/// acknowledged write is lost, no announcement expires early, and no lookup is stale. No worker
/// that renews is ever missing.
///
/// The test has two checks. The first searches for an order that explains the observations, and
/// ignores the order that the cluster reports. The second compares the order of the indexes in the
/// answers with the log that the nodes kept.
#[test]
fn what_clients_see_has_one_order_whatever_fails() {
    let mut stage = Stage::start(3, Options::max_age("3s"), WORKLOAD.seed);
    let addresses: Vec<_> = stage.cluster.nodes.iter().map(|n| n.address()).collect();
    let workers = Workers::start(WORKERS, MAX_AGE, &addresses);
    let clients = Recorded::start(WORKLOAD, addresses);
    let mut timeline = Timeline::new(PATTERN, WORKLOAD.seed);
    let mut bursts = Vec::new();
    // The run continues until every kind of fault has happened, enough operations are recorded, and
    // a power cut has lost data. The last condition depends on chance.
    while bursts.len() < BURSTS_MAX
        && (kinds(&bursts).len() < Kind::ALL.len()
            || clients.served() < OPERATIONS_MIN as u64
            || stage.cuts_that_took == 0)
    {
        bursts.push(timeline.burst(&mut stage, &clients));
        let enough = clients.served() + CALM;
        until("traffic goes on after a burst", FORM_LIMIT, || {
            (clients.served() >= enough).then_some(())
        });
    }
    let history = clients.stop();
    let seen = workers.stop();
    let faults: Vec<&Happened> = bursts.iter().flat_map(|burst| &burst.faults).collect();
    println!(
        "{} faults of {} kinds, {} beside others, in {} bursts; \
         power cuts took {} sectors; {} operations",
        faults.len(),
        kinds(&bursts).len(),
        faults.iter().filter(|fault| fault.overlapped).count(),
        bursts.len(),
        stage.sectors_taken,
        history.len()
    );
    println!(
        "{} renewals, {} lookups of workers",
        seen.renewals, seen.lookups
    );
    assert!(seen.absences.is_empty(), "missed: {:?}", seen.absences);
    assert_eq!(kinds(&bursts).len(), Kind::ALL.len());
    assert!(history.len() >= OPERATIONS_MIN);
    assert!(stage.cuts_that_took > 0, "no power cut took anything");
    judge(&history, &stage.stop());
}

/// Returns the kinds of faults that had their intended effect in these bursts.
fn kinds(bursts: &[Burst]) -> BTreeSet<Kind> {
    let faults = bursts.iter().flat_map(|burst| &burst.faults);
    faults
        .filter(|fault| fault.has_struck)
        .map(|fault| fault.kind)
        .collect()
}

/// Checks that the history has one order, by the search and against the committed log.
fn judge(history: &[Operation], log: &CommittedLog) {
    let max_age = MaxAge::from_ns(MAX_AGE.as_nanos() as u64);
    let deadline = clock::now() + JUDGED_WITHIN;
    let groups = check_groups(history, max_age, &mut || clock::now() > deadline);
    if !groups.is_linearizable() {
        panic!("{}", groups.explain(history));
    }
    println!(
        "by search: {} operations in {} groups",
        groups.calls, groups.groups
    );
    assert!(
        log.is_complete || history.len() > OPERATIONS_LOGGED,
        "no log goes back to the first change: what became of it was not judged"
    );
    let certificate = certify(history, Some(log), max_age);
    assert!(certificate.holds(), "{}", certificate.explain(history));
    println!(
        "by the log: {} changes, {} lookups, {} of unknown fate, {} expiries",
        certificate.writes, certificate.lookups, certificate.unknown_placed, certificate.expiries
    );
}
