//! Tests of processes that are stopped with SIGSTOP and continue later.

use crate::support::http::{self, Response};
use crate::support::node::{PATIENCE, announcement, announcement_path, services, tokens_of};
use crate::support::{Cluster, Options, Write, let_pass, until};
use quorate::clock;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const ENGINES: usize = 9;
/// Interval between two renewals. It is 8/30 of max-age, as in airlift's clients (8 s of 30 s).
const PACE: Duration = Duration::from_millis(800);
/// Duration of a freeze. It is longer than max-age, and longer than `discovery.recovery-gap`.
const FREEZE: Duration = Duration::from_secs(8);
/// Time for which lookups are checked after a freeze. It is longer than max-age plus the maximum
/// delay of an expiry, so that any expiry happens while the lookups are checked.
const WATCHED: Duration = Duration::from_secs(7);

/// A freeze of the whole cluster that is longer than max-age removes no announcement whose client
/// renews. No lookup that any node serves afterwards lacks such an announcement.
#[test]
fn nobody_vanishes_when_the_whole_cluster_freezes() {
    let cluster = Cluster::start(3, Options::max_age("3s"));
    let engines = Engines::start(&cluster, "thawed");
    until("every engine is listed", Duration::from_secs(10), || {
        (cluster.nodes[0].tokens("thawed")?.len() == ENGINES).then_some(())
    });

    for node in &cluster.nodes {
        node.pause();
    }
    let_pass(FREEZE);
    for node in &cluster.nodes {
        node.resume();
    }

    let end = clock::now() + WATCHED;
    let mut served = vec![0; cluster.nodes.len()];
    while clock::now() < end {
        for (node, served) in cluster.nodes.iter().zip(&mut served) {
            if let Some(seen) = node.tokens("thawed") {
                assert_eq!(
                    seen.len(),
                    ENGINES,
                    "{} lists only {seen:?}",
                    node.etc.node_id
                );
                *served += 1;
            }
        }
    }
    assert!(
        served.iter().all(|served| *served > 0),
        "lookups served after the freeze: {served:?}"
    );
    engines.stop();
}

/// A leader that is frozen until another node was elected does not answer from its old state. Its
/// first answers after the freeze are fresh or refusals, even to requests that waited in its
/// sockets.
#[test]
fn a_leader_that_wakes_up_deposed_answers_fresh_or_not_at_all() {
    let cluster = Cluster::start(3, Options::default());
    for token in 1..=3 {
        let old = cluster.leader();
        cluster.nodes[old].announce_acked("woken", "engine", token * 2);
        cluster.nodes[old].pause();
        let new = cluster.leader_other_than(Some(old));
        cluster.nodes[new].announce_acked("woken", "engine", token * 2 + 1);

        let waiting: Vec<_> = (0..8)
            .map(|_| send_lookup(cluster.nodes[old].address()))
            .collect();
        cluster.nodes[old].resume();
        let mut answers: Vec<_> = waiting.into_iter().map(http::Pending::answer).collect();
        answers.push(cluster.nodes[old].get("/v1/service/woken/general"));
        for answer in answers {
            assert_fresh_or_refused(answer, token * 2 + 1);
        }
        cluster.nodes[old].wait_ready(Duration::from_secs(10));
    }
}

/// An announcement that stayed unread in a frozen node's socket undoes no later write. It does not
/// overwrite a newer acknowledged announcement, and does not return after an acknowledged
/// withdrawal.
#[test]
fn an_announcement_read_late_does_not_undo_what_came_after_it() {
    let cluster = Cluster::start(3, Options::default());
    for round in 0..3 {
        // Over the rounds, the leader and followers are frozen in rotation.
        let sleeper = (cluster.leader() + round) % 3;
        let awake = cluster.others(sleeper)[0];
        cluster.nodes[sleeper].announce_acked("late", "changed", 1);
        cluster.nodes[sleeper].announce_acked("late", "left", 1);
        cluster.nodes[sleeper].pause();
        let unread = [
            send_announcement(cluster.nodes[sleeper].address(), "changed", 1),
            send_announcement(cluster.nodes[sleeper].address(), "left", 1),
            send_announcement(cluster.nodes[sleeper].address(), "left", 2),
        ];
        if round == 0 {
            cluster.leader_other_than(Some(sleeper));
        }
        until(
            "the newer announcement is taken",
            Duration::from_secs(10),
            || {
                matches!(
                    cluster.nodes[awake].announce("late", "changed", 2),
                    Write::Acked(_)
                )
                .then_some(())
            },
        );
        until("the withdrawal is taken", Duration::from_secs(10), || {
            matches!(cluster.nodes[awake].withdraw("left"), Write::Acked(_)).then_some(())
        });
        // The freeze is longer than 2 s, the time for which a write may wait for its commit.
        let_pass(Duration::from_millis(2_500));

        cluster.nodes[sleeper].resume();
        let answers: Vec<_> = unread.into_iter().map(http::Pending::answer).collect();
        cluster.nodes[sleeper].wait_ready(Duration::from_secs(10));
        for node in &cluster.nodes {
            let seen = node.tokens("late").expect("a healthy cluster serves");
            assert_eq!(
                seen.get("changed"),
                Some(&2),
                "{}: {answers:?}",
                node.etc.node_id
            );
            assert_eq!(seen.get("left"), None, "{}: {answers:?}", node.etc.node_id);
        }
    }
}

fn send_lookup(to: SocketAddr) -> http::Pending {
    http::send(to, "GET", "/v1/service/woken/general", None, PATIENCE).expect("the kernel takes it")
}

fn send_announcement(to: SocketAddr, node_id: &str, token: u64) -> http::Pending {
    let body = announcement("late", node_id, token);
    http::send(
        to,
        "PUT",
        &announcement_path(node_id),
        Some(&body),
        PATIENCE,
    )
    .expect("the kernel takes it")
}

/// Asserts that an answer shows the current token, or is a refusal.
fn assert_fresh_or_refused(answer: Result<Response, std::io::Error>, token: u64) {
    // A connection that was opened before the node continued may be closed without an answer.
    let Ok(response) = answer else { return };
    match services(&response) {
        Some(services) => assert_eq!(
            tokens_of(&services).get("engine"),
            Some(&token),
            "a stale answer"
        ),
        None => assert_eq!(response.status, 503, "{}", response.body),
    }
}

/// Clients that renew in the background, each through a node of its own, as engines do.
struct Engines {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Engines {
    fn start(cluster: &Cluster, kind: &'static str) -> Engines {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..ENGINES)
            .map(|i| {
                let (to, stop) = (
                    cluster.nodes[i % cluster.nodes.len()].address(),
                    stop.clone(),
                );
                std::thread::spawn(move || renew(to, kind, i as u64, &stop))
            })
            .collect();
        Engines { stop, threads }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Release);
        for thread in self.threads {
            thread
                .join()
                .expect("an engine saw only documented answers");
        }
    }
}

/// Renews one announcement until the flag is set.
fn renew(to: SocketAddr, kind: &str, engine: u64, stop: &AtomicBool) {
    let node_id = format!("engine-{engine}");
    let body = announcement(kind, &node_id, engine);
    while !stop.load(Ordering::Acquire) {
        let answer = http::request(
            to,
            "PUT",
            &announcement_path(&node_id),
            Some(&body),
            PATIENCE,
        );
        let taken = answer.is_ok_and(|response| response.status == 202);
        // After a failed renewal, airlift's client tries again after at most 1 s; its interval is 8
        // s.
        let_pass(if taken { PACE } else { PACE / 8 });
    }
}
