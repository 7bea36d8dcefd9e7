use crate::support::Options;
use crate::support::cluster::FORM_LIMIT;
use crate::support::faults::{Burst, Happened, Kind, Pattern, Stage, Timeline};
use crate::support::recorded::{Crowd, Recorded};
use crate::support::until;
use crate::support::workers::Workers;
use quorate::clock;
use quorate_checker::MaxAge;
use quorate_checker::certificate::certify;
use quorate_checker::groups::check_groups;
use quorate_checker::history::Operation;
use quorate_checker::log::Log;
use std::collections::BTreeSet;
use std::time::Duration;

const MAX_AGE: Duration = Duration::from_secs(3);
const CROWD: Crowd = Crowd {
    clients: 24,
    groups: 8,
    nodes_per_client: 4,
    rivals: 6,
    seed: 20_260_601,
};
const WORKERS: usize = 4;
/// Longer than an election, and at most a max-age.
const PATTERN: Pattern = Pattern {
    lasts: Duration::from_millis(1_000)..Duration::from_millis(2_000),
    staggers: Duration::from_millis(100)..Duration::from_millis(1_000),
    more_percent: 60,
    most: 3,
};
/// What must be served between two bursts, so that each falls into traffic.
const CALM: u64 = 100;
/// A run with fewer operations proves too little.
const OPERATIONS_MIN: usize = 25_000;
/// A run that has not covered everything by then covers it never.
const BURSTS_MAX: usize = 60;
/// A history that is in order is judged in a second or two.
const JUDGED_WITHIN: Duration = Duration::from_secs(60);

/// Proves that what 24 clients, and six pairs that write the same node ids through different nodes,
/// see of a cluster whose processes, disks, clocks and links fail in 26 ways, alone and at once, is
/// one order of events, in which nothing acknowledged is lost, nothing expires early and no lookup is old: by a
/// search that does not trust the cluster, and by the order that its indexes name, against the log that the nodes kept; and
/// that nobody misses a worker that renews.
#[test]
fn what_clients_see_has_one_order_whatever_fails() {
    let mut stage = Stage::start(3, Options::max_age("3s"), CROWD.seed);
    let addresses: Vec<_> = stage.cluster.nodes.iter().map(|n| n.address()).collect();
    let workers = Workers::start(WORKERS, MAX_AGE, &addresses);
    let clients = Recorded::start(CROWD, addresses);
    let mut timeline = Timeline::new(PATTERN, CROWD.seed);
    let mut bursts = Vec::new();
    // All of them once, and on until there is enough to judge; of a power cut chance says whether it takes anything.
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
        "{} faults of {} kinds, {} beside others, in {} bursts; power cuts took {} sectors; {} operations",
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

/// The kinds that did what they are named for.
fn kinds(bursts: &[Burst]) -> BTreeSet<Kind> {
    let faults = bursts.iter().flat_map(|burst| &burst.faults);
    faults
        .filter(|fault| fault.has_struck)
        .map(|fault| fault.kind)
        .collect()
}

fn judge(history: &[Operation], log: &Log) {
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
        log.is_complete,
        "no log goes back to the first change: what became of it was not judged"
    );
    let certificate = certify(history, Some(log), max_age);
    assert!(certificate.holds(), "{}", certificate.explain(history));
    println!(
        "by the log: {} changes, {} lookups, {} of unknown fate, {} expiries",
        certificate.writes, certificate.lookups, certificate.unknown_placed, certificate.expiries
    );
}
