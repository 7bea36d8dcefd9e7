//! Tests of two clients that write one node id through different nodes while the leader is killed.

use crate::support::cluster::FORM_LIMIT;
use crate::support::node::services;
use crate::support::rivals::{Ask, Underway};
use crate::support::{Cluster, Options, let_pass, until};
use quorate::clock::{self, Instant};
use quorate_checker::MaxAge;
use quorate_checker::certificate::certify;
use quorate_checker::groups::check_groups;
use quorate_checker::history::{Input, Operation, RecordedService, RequestOutcome};
use quorate_checker::log::CommittedLog;
use std::time::Duration;

/// Far beyond the duration of the test, so that nothing expires.
const MAX_AGE: Duration = Duration::from_secs(3_600);
const KIND: &str = "rival";
/// The request of the earlier and of the later writer in each duel. A duel is two writes of one
/// node id through different nodes. Each round has every duel once, with a node id of its own.
const DUELS: [(RivalRequest, RivalRequest); 7] = [
    (RivalRequest::Renew, RivalRequest::Leave),
    (RivalRequest::Change, RivalRequest::Leave),
    (RivalRequest::Change, RivalRequest::Change),
    (RivalRequest::Leave, RivalRequest::Change),
    (RivalRequest::Change, RivalRequest::Renew),
    (RivalRequest::Leave, RivalRequest::Renew),
    (RivalRequest::Renew, RivalRequest::Change),
];
/// Time between the two writes of a duel. It is far longer than the first write takes to arrive at
/// its node.
const HEAD_START: Duration = Duration::from_millis(150);
/// Timeout of the search for an order of the history. A correct history is checked in a second or
/// two.
const JUDGED_WITHIN: Duration = Duration::from_secs(60);
/// Divisor of the number of duels. At least half of the duels must prove that the first write
/// arrived before the second write was sent.
const CONTESTED_SHARE: usize = 2;

/// The requests of a duel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RivalRequest {
    Renew,
    Change,
    Leave,
}

/// An acknowledged write is never undone by a write of the same node id that arrived earlier. Two
/// clients write through different nodes, which both wait for a new leader. No announcement returns
/// after a withdrawal, and no old announcement replaces a newer one.
#[test]
fn no_write_takes_effect_after_a_later_one_whoever_leads() {
    let mut cluster = Cluster::start(3, Options::max_age("1h").alone());
    cluster.wait_ordered();
    let mut rivals = Rivals::new();
    for _ in 0..rounds() {
        rivals.round(&mut cluster);
    }
    cluster.stop_all();
    let log = log_of(&cluster);
    println!(
        "{} writes, {} of them waited while another began, {} were refused",
        rivals.history.iter().filter(|o| o.is_write()).count(),
        rivals.contested(),
        rivals.count(&RequestOutcome::Refused)
    );
    judge(&rivals.history, &log);
    assert!(
        rivals.contested() * CONTESTED_SHARE >= rounds() * DUELS.len(),
        "too few writes overlapped to show anything"
    );
}

/// Returns the number of leaders to kill. The default is small. `QUORATE_TEST_KILLS=200` proves the
/// guarantee.
fn rounds() -> usize {
    let asked =
        std::env::var_os("QUORATE_TEST_KILLS").and_then(|rounds| rounds.to_str()?.parse().ok());
    asked.unwrap_or(4)
}

/// Two clients that write the same node ids, and the history of what they observed.
struct Rivals {
    began: Instant,
    history: Vec<Operation>,
    tokens: u64,
    round: usize,
}

impl Rivals {
    fn new() -> Rivals {
        Rivals {
            began: clock::now(),
            history: Vec::new(),
            tokens: 0,
            round: 0,
        }
    }

    /// Kills the leader, lets both clients write every node id of the round through the surviving
    /// nodes, and looks up the result.
    fn round(&mut self, cluster: &mut Cluster) {
        self.round += 1;
        let leader = cluster.leader();
        let [one, other] = cluster.others(leader)[..] else {
            panic!("three nodes");
        };
        let nodes: Vec<String> = (0..DUELS.len())
            .map(|duel| format!("rival-{}-{duel}", self.round))
            .collect();
        let tokens: Vec<u64> = nodes
            .iter()
            .map(|node| self.announced(cluster, one, node))
            .collect();
        // The lookup ensures that both nodes have applied the announcements before the leader is
        // killed.
        self.look_up(cluster, other);
        cluster.nodes[leader].kill9();

        let began = self.began;
        let now_ns = move || began.elapsed().as_nanos() as u64;
        let mut firsts = Vec::new();
        let mut seconds = Vec::new();
        for (duel, (first, second)) in DUELS.into_iter().enumerate() {
            let by = match (duel + self.round) % 2 {
                0 => [one, other],
                _ => [other, one],
            };
            let mut ask = |client: u32, server: usize, request| Ask {
                client,
                server: (server as u32, cluster.nodes[server].address()),
                input: self.input(request, &nodes[duel], tokens[duel]),
                now_ns: &now_ns,
            };
            firsts.push(ask(2 * duel as u32, by[0], first).send());
            seconds.push(ask(2 * duel as u32 + 1, by[1], second));
        }
        let_pass(HEAD_START);
        firsts
            .iter_mut()
            .for_each(|first| first.prove_arrival(Duration::ZERO));
        let seconds: Vec<Underway<'_>> = seconds.into_iter().map(Ask::send).collect();
        let answered = firsts.into_iter().chain(seconds).map(Underway::answer);
        self.history.extend(answered);

        cluster.leader_other_than(Some(leader));
        for survivor in [one, other] {
            self.look_up(cluster, survivor);
        }
        cluster.nodes[leader].start();
        cluster.nodes[leader].wait_ready(FORM_LIMIT);
    }

    /// Announces a node through a server, and returns the token of that announcement.
    fn announced(&mut self, cluster: &Cluster, server: usize, node: &str) -> u64 {
        let input = self.input(RivalRequest::Change, node, 0);
        let Input::Announce { token, .. } = input else {
            panic!("a change announces");
        };
        let began = self.began;
        let ask = Ask {
            client: 0,
            server: (server as u32, cluster.nodes[server].address()),
            input,
            now_ns: &move || began.elapsed().as_nanos() as u64,
        };
        let operation = ask.send().answer();
        assert_eq!(operation.outcome, RequestOutcome::Acked, "{operation}");
        self.history.push(operation);
        token
    }

    fn input(&mut self, request: RivalRequest, node: &str, token: u64) -> Input {
        if request == RivalRequest::Leave {
            return Input::Withdraw { node: node.into() };
        }
        if request == RivalRequest::Change {
            self.tokens += 1;
        }
        Input::Announce {
            node: node.into(),
            pool: "general".into(),
            types: vec![KIND.into()],
            token: match request {
                RivalRequest::Renew => token,
                _ => self.tokens,
            },
        }
    }

    /// Looks up all node ids at a server, as soon as it serves lookups.
    fn look_up(&mut self, cluster: &Cluster, server: usize) {
        let began = self.began;
        let (call_ns, answer) = until("a lookup is served", FORM_LIMIT, || {
            let call_ns = began.elapsed().as_nanos() as u64;
            let path = format!("/v1/service/{KIND}/general");
            let answer = cluster.nodes[server].get(&path).ok()?;
            (answer.status == 200).then_some((call_ns, answer))
        });
        let found = services(&answer).expect("it was served");
        let found = found.iter().map(|service| {
            let text = |field: &str| service[field].as_str().expect("a text").into();
            let token = service["properties"]["token"].as_str();
            RecordedService {
                service_type: text("type"),
                pool: text("pool"),
                node: text("nodeId"),
                token: token.and_then(|token| token.parse().ok()).expect("a token"),
            }
        });
        self.history.push(Operation {
            client: 1_000 + server as u32,
            server: server as u32,
            call_ns,
            arrived_ns: None,
            return_ns: Some(began.elapsed().as_nanos() as u64),
            input: Input::Lookup {
                service_type: Some(KIND.into()),
                pool: Some("general".into()),
            },
            outcome: RequestOutcome::Found(found.collect()),
            index: answer.headers["quorate-index"].parse().ok(),
        });
    }

    /// Returns the number of writes that had provably arrived before another client wrote the same
    /// node id.
    fn contested(&self) -> usize {
        let arrived = self.history.iter().filter(|o| o.arrived_ns.is_some());
        arrived.count()
    }

    fn count(&self, outcome: &RequestOutcome) -> usize {
        self.history
            .iter()
            .filter(|o| o.outcome == *outcome)
            .count()
    }
}

/// Returns the log that the stopped nodes have committed, merged from all of them.
fn log_of(cluster: &Cluster) -> CommittedLog {
    let logs = cluster.nodes.iter().map(|node| {
        let text = node.committed_log();
        CommittedLog::read(text.as_bytes(), "token").expect("the log is readable")
    });
    let joined = logs.reduce(|one, other| {
        one.joined(other)
            .unwrap_or_else(|problem| panic!("{problem}"))
    });
    joined.expect("there are nodes")
}

/// Checks that the history has one order, against the committed log.
fn judge(history: &[Operation], log: &CommittedLog) {
    let max_age = MaxAge::from_ns(MAX_AGE.as_nanos() as u64);
    assert!(log.is_complete, "no log goes back to the first change");
    let certificate = certify(history, Some(log), max_age);
    assert!(certificate.holds(), "{}", certificate.explain(history));
    let deadline = clock::now() + JUDGED_WITHIN;
    let groups = check_groups(history, max_age, &mut || clock::now() > deadline);
    assert!(groups.is_linearizable(), "{}", groups.explain(history));
}
