//! One segment of a soak: a new cluster, its clients and faults, and the evaluation.

use super::liveness::Liveness;
use super::resources::{Resources, descriptors};
use crate::support::cluster::FORM_LIMIT;
use crate::support::faults::{Burst, Pattern, Stage, Timeline};
use crate::support::recorded::{Recorded, Workload};
use crate::support::workers::{SeenLookup, Workers};
use crate::support::{Options, http, let_pass, until};
use quorate::clock;
use quorate_checker::MaxAge;
use quorate_checker::certificate::certify;
use quorate_checker::groups::check_groups;
use quorate_checker::history::{self, Operation, RequestOutcome};
use quorate_checker::late_expiry::overstays;
use quorate_checker::log::CommittedLog;
use quorate_checker::window::Window;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::time::Duration;

/// The durations of the faults. The faults of a burst begin one after the other, and half of the
/// bursts have more than one fault.
const PATTERN: Pattern = Pattern {
    lasts: Duration::from_millis(700)..Duration::from_millis(2_500),
    staggers: Duration::from_millis(100)..Duration::from_millis(1_200),
    more_percent: 50,
    most: 4,
};
const CLIENTS: u32 = 48;
const GROUPS: u32 = 16;
/// Number of pairs of clients that write the same node ids.
const RIVALS: u32 = 8;
/// Number of node ids of each client. Together with the workers and the pairs, there are 460 node
/// ids at a time.
const NODES_PER_CLIENT: u64 = 8;
const WORKERS: usize = 16;
/// Write gap under a fault of a minority above which the nodes' logs are kept. Such a gap is worth
/// an investigation, but is no failure by itself (see `report`).
const REMARKABLE_GAP_NS: u64 = 1_500_000_000;
/// Number of requests that must be served between two bursts.
const CALM: u64 = 100;
/// Duration of the quiet time after the last burst, used with a short max-age. Silent nodes must
/// have expired by its end.
const QUIET: Duration = Duration::from_secs(12);
/// Maximum time for which an announcement may outlive max-age in a healthy cluster.
const ALLOWANCE: Duration = Duration::from_secs(2);
/// Timeout of the search for an order of the history. Reaching it is a failure.
const JUDGED_WITHIN: Duration = Duration::from_secs(120);
/// Maximum number of descriptors that a node may open in addition to the descriptors from before
/// the first client. Connections with peers are counted separately. The additional descriptors are
/// short-lived files, and connections of a lost link that are not closed yet.
const DESCRIPTORS_OVER: u64 = 8;
/// Maximum number of additional connections with each peer. Two members have up to four connections
/// in each direction, and open the last of them on first use.
const CONNECTIONS_OF_A_PEER: u64 = 8;
const DESCRIPTORS_BACK_WITHIN: Duration = Duration::from_secs(60);

/// The parameters of a segment.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Make {
    pub number: u64,
    pub nodes: usize,
    pub max_age_s: u64,
    pub lasts_s: u64,
}

/// The results of a segment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Segment {
    pub make: Make,
    /// The wall-clock time at which the clients' clock began. The nodes' logs use the wall clock.
    pub began_wall_ms: u64,
    pub bursts: Vec<Burst>,
    pub operations: usize,
    pub acked: usize,
    pub unknown: usize,
    pub lookups: usize,
    pub expiries: usize,
    /// Whether the collected log goes back to the first change. Otherwise the operations before its
    /// beginning were evaluated without a log.
    pub is_log_complete: bool,
    pub renewals: u64,
    pub worker_lookups: u64,
    pub snapshots_installed: usize,
    pub sectors_taken: u64,
    pub cuts_that_took: u64,
    pub flips_refused: u64,
    pub liveness: Liveness,
    pub resources: Resources,
    /// The guarantees that were broken, as texts. Empty if all of them held.
    pub failures: Vec<String>,
}

/// Runs one segment. The history of a failed segment is kept in `dir` for another evaluation. The
/// nodes' logs are kept after a failure, and after a write gap longer than [`REMARKABLE_GAP_NS`].
pub fn run(make: Make, dir: &Path) -> Segment {
    let max_age = Duration::from_secs(make.max_age_s);
    let settings = match make.max_age_s {
        3 => Options::max_age("3s"),
        _ => Options::max_age("30s"),
    };
    let seed = 20_261_124 + make.number;
    let mut stage = Stage::start(make.nodes, settings.alone(), seed);
    let mut resources = Resources::before(&stage.cluster);
    let addresses: Vec<_> = stage.cluster.nodes.iter().map(|n| n.address()).collect();
    let workers = Workers::start(WORKERS, max_age, &addresses);
    let workload = Workload {
        clients: CLIENTS,
        groups: GROUPS,
        nodes_per_client: NODES_PER_CLIENT,
        rivals: RIVALS,
        seed,
    };
    let began_wall_ms = clock::wall_ms();
    let clients = Recorded::start(workload, addresses);
    let mut timeline = Timeline::new(PATTERN, seed);
    let mut bursts = Vec::new();
    while clients.now_ns() < make.lasts_s * 1_000_000_000 {
        bursts.push(timeline.burst(&mut stage, &clients));
        resources.look(&stage.cluster);
        let enough = clients.served() + CALM;
        until("traffic goes on after a burst", FORM_LIMIT, || {
            (clients.served() >= enough).then_some(())
        });
    }
    let quiet = quiet(&clients, max_age);
    let history = clients.stop();
    let seen = workers.stop();
    let mut failures = same_everywhere(&stage);
    failures.extend(descriptors_are_given_back(&stage, &resources));
    let snapshots_installed = count_in_logs(&stage, "installing a snapshot from the leader");
    if count_in_logs(&stage, "panicked at") > 0 {
        failures.push("a node panicked".to_owned());
    }
    let log = stage.stop();
    let mut segment = Segment {
        make,
        began_wall_ms,
        operations: history.len(),
        acked: count(&history, |outcome| *outcome == RequestOutcome::Acked),
        unknown: count(&history, |outcome| *outcome == RequestOutcome::Unknown),
        lookups: 0,
        expiries: 0,
        is_log_complete: log.is_complete,
        renewals: seen.renewals,
        worker_lookups: seen.lookups,
        snapshots_installed,
        sectors_taken: stage.sectors_taken,
        cuts_that_took: stage.cuts_that_took,
        flips_refused: stage.flips_refused,
        liveness: Liveness::of(&history, &bursts),
        resources,
        bursts,
        failures,
    };
    segment.judge(&history, &log, &seen, quiet);
    if !segment.failures.is_empty() {
        keep(
            &history,
            &dir.join(format!("history-{}.jsonl", make.number)),
        );
    }
    if !segment.failures.is_empty() || segment.liveness.longest_write_gap_ns() > REMARKABLE_GAP_NS {
        keep_logs(&stage, dir, make);
    }
    segment
}

/// Stores the nodes' logs in the directory of the soak.
fn keep_logs(stage: &Stage, dir: &Path, make: Make) {
    for node in &stage.cluster.nodes {
        let name = format!("segment-{}-{}.log", make.number, node.etc.node_id);
        fs::write(dir.join(name), node.log()).expect("the soak's directory can be written");
    }
}

/// Waits for a time without faults in which silent nodes must expire, and returns it. Returns
/// `None` if max-age is too long for that.
fn quiet(clients: &Recorded, max_age: Duration) -> Option<Window> {
    if max_age >= QUIET / 3 {
        return None;
    }
    // No announcement expires in the grace period of one max-age after the last election.
    let_pass(max_age);
    let from_ns = clients.now_ns();
    let_pass(QUIET);
    Some(Window {
        from_ns,
        to_ns: clients.now_ns(),
    })
}

/// Checks that all nodes show the same bytes at the same log index.
fn same_everywhere(stage: &Stage) -> Vec<String> {
    let bodies = until("all nodes answer at one index", FORM_LIMIT, || {
        let answers: Option<Vec<http::Response>> = stage
            .cluster
            .nodes
            .iter()
            .map(|node| node.get("/v1/service").ok().filter(|a| a.status == 200))
            .collect();
        let answers = answers?;
        let indexes: BTreeSet<&String> = answers
            .iter()
            .map(|a| &a.headers["quorate-index"])
            .collect();
        (indexes.len() == 1).then(|| answers.into_iter().map(|a| a.body).collect::<BTreeSet<_>>())
    });
    match bodies.len() {
        1 => Vec::new(),
        different => vec![format!("{different} different states at one index")],
    }
}

/// Checks that nodes close their descriptors within [`DESCRIPTORS_BACK_WITHIN`].
fn descriptors_are_given_back(stage: &Stage, resources: &Resources) -> Vec<String> {
    let deadline = clock::now() + DESCRIPTORS_BACK_WITHIN;
    let nodes = stage
        .cluster
        .nodes
        .iter()
        .zip(&resources.descriptors_before);
    let peers = stage.cluster.nodes.len() as u64 - 1;
    let over = DESCRIPTORS_OVER + peers * CONNECTIONS_OF_A_PEER;
    let mut failures = Vec::new();
    for (node, before) in nodes {
        while descriptors(node.pid()) > before + over {
            if clock::now() > deadline {
                let now = descriptors(node.pid());
                failures.push(format!(
                    "{} keeps {now} descriptors, {before} before",
                    node.etc.node_id
                ));
                break;
            }
            let_pass(Duration::from_millis(100));
        }
    }
    failures
}

fn count_in_logs(stage: &Stage, words: &str) -> usize {
    let nodes = stage.cluster.nodes.iter();
    nodes.map(|node| node.log().matches(words).count()).sum()
}

fn count(history: &[Operation], outcome: impl Fn(&RequestOutcome) -> bool) -> usize {
    history.iter().filter(|o| outcome(&o.outcome)).count()
}

/// Stores the history in a file.
fn keep(history: &[Operation], path: &Path) {
    let file = File::create(path).expect("the soak's directory can be written");
    history::write(history, BufWriter::new(file)).expect("the soak's directory can be written");
}

impl Segment {
    /// Checks the history in three ways: by search, against the log, and for late expiries.
    fn judge(
        &mut self,
        history: &[Operation],
        log: &CommittedLog,
        seen: &SeenLookup,
        quiet: Option<Window>,
    ) {
        let max_age_ns = self.make.max_age_s * 1_000_000_000;
        let max_age = MaxAge::from_ns(max_age_ns);
        let deadline = clock::now() + JUDGED_WITHIN;
        let groups = check_groups(history, max_age, &mut || clock::now() > deadline);
        if !groups.is_linearizable() {
            self.failures
                .push(format!("by search: {}", groups.explain(history)));
        }
        let certificate = certify(history, Some(log), max_age);
        if !certificate.holds() {
            self.failures
                .push(format!("by the log: {}", certificate.explain(history)));
        }
        self.lookups = certificate.lookups;
        self.expiries = certificate.expiries;
        self.failures.extend(
            seen.absences
                .iter()
                .map(|absence| format!("a worker is missed {absence}")),
        );
        if let Some(span) = quiet {
            let longest_ns = max_age_ns + ALLOWANCE.as_nanos() as u64;
            let late = overstays(history, span, longest_ns);
            self.failures
                .extend(late.iter().map(|one| format!("stays too long: {one:?}")));
        }
    }
}
