//! Tests of announcements of many services. New announcements above the limit are refused, and
//! announcements that an earlier release accepted are kept.

use crate::support::http::{self, Response};
use crate::support::node::{Node, PATIENCE, announcement_path};
use crate::support::{Cluster, Options, until};
use flate2::read::GzDecoder;
use openraft::entry::{EntryPayload, RaftEntry};
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::type_config::alias::{EntryOf, LogIdOf};
use quorate::clock;
use quorate::model::Announcement;
use quorate::raft::{Proposal, TypeConfig};
use quorate::registry::{Batch, Command, MAX_SERVICES};
use quorate::storage::{OsFs, Store};
use std::fs;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The number of services that makes a body of 955 kB.
const SERVICES: usize = 20_000;
const ANSWER_LIMIT: Duration = Duration::from_millis(200);
const LOOKUP_LIMIT: Duration = Duration::from_millis(50);
const READY_LIMIT: Duration = Duration::from_secs(2);
/// The number of large announcements in a log of the previous release.
const LOGGED: usize = 8;
const NODE_ID: &str = "w1";

/// Returns a body with services of one type, whose ids begin with a letter.
fn body(letter: char, count: usize) -> String {
    let services: Vec<String> = (0..count)
        .map(|i| format!(r#"{{"id":"{letter}{i:09}","type":"t","properties":{{}}}}"#))
        .collect();
    let services = services.join(",");
    format!(r#"{{"environment":"test","pool":"general","location":"/w1","services":[{services}]}}"#)
}

/// Sends an announcement with this body.
fn put(node: &Node, body: &str) -> Response {
    let path = announcement_path(NODE_ID);
    http::request(node.address(), "PUT", &path, Some(body), PATIENCE).expect("an answer")
}

/// Returns the term that a node reports, which grows with each election.
fn term(node: &Node) -> u64 {
    let status = node.status().expect("a status");
    status["term"].as_u64().expect("a term")
}

/// Sets the flag when it is dropped, so that the loops that run until the flag is set stop even
/// when the test fails.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Runs lookups until the flag is set, and returns their durations.
fn lookups_until(over: &AtomicBool, node: &Node) -> Vec<Duration> {
    let mut took = Vec::new();
    while !over.load(Ordering::Acquire) {
        let begun = clock::now();
        assert!(node.lookup("beside").is_some(), "a lookup is served");
        took.push(begun.elapsed());
    }
    took
}

/// Announcements of 20,000 services are refused at once, with a message that names the field, and
/// announcements at the limit are accepted. Neither kind delays lookups or causes an election.
#[test]
fn announcements_of_many_services_hold_up_nobody() {
    let cluster = Cluster::start(3, Options::max_age("10m").alone());
    let leader = cluster.leader();
    cluster.nodes[leader].announce_acked("beside", "engine", 1);
    let term_before = term(&cluster.nodes[leader]);
    let over = AtomicBool::new(false);
    let mut took = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|i| {
                scope.spawn({
                    let (over, node) = (&over, &cluster.nodes[i]);
                    move || lookups_until(over, node)
                })
            })
            .collect();
        let telling = Over(&over);
        for node in &cluster.nodes {
            for (letter, count, status) in [
                ('a', SERVICES, 400),
                ('b', SERVICES, 400),
                ('a', MAX_SERVICES, 202),
                ('b', MAX_SERVICES, 202),
                ('c', MAX_SERVICES + 1, 400),
            ] {
                let body = body(letter, count);
                let begun = clock::now();
                let answer = put(node, &body);
                let took = begun.elapsed();
                println!("{} bytes: {} after {took:?}", body.len(), answer.status);
                assert_eq!(answer.status, status, "{}", answer.body);
                if status == 400 {
                    let line =
                        format!("services has {count} entries; the limit is {MAX_SERVICES}\n");
                    assert_eq!(answer.body, line);
                }
                assert!(took < ANSWER_LIMIT, "{took:?}");
            }
        }
        drop(telling);
        let took = readers
            .into_iter()
            .flat_map(|reader| reader.join().expect("lookups are served"));
        took.collect::<Vec<_>>()
    });
    took.sort();
    let p99 = took[took.len() * 99 / 100];
    println!("{} lookups beside them, p99 {p99:?}", took.len());
    assert!(p99 < LOOKUP_LIMIT, "{p99:?}");
    assert_eq!(
        term(&cluster.nodes[leader]),
        term_before,
        "nobody was elected"
    );
}

/// Gives a node a data directory of the previous release. The log in this directory contains
/// announcements of many services that are in no snapshot.
fn give_old_log(node: &Node) {
    let dir = node.etc.data_dir().join("raft");
    fs::create_dir_all(&dir).expect("a temporary directory");
    for name in ["raft.journal", "raft.redb"] {
        let packed = format!(
            "{}/tests/cluster/data-of-787d4a2/{name}.gz",
            env!("CARGO_MANIFEST_DIR")
        );
        let mut bytes = Vec::new();
        let packed = fs::File::open(packed).expect("a file of this repository");
        let read = GzDecoder::new(packed).read_to_end(&mut bytes);
        read.expect("a gzip file");
        fs::write(dir.join(name), bytes).expect("a temporary directory");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async {
        let store = Store::open(Arc::new(OsFs), &dir).expect("a data directory");
        let last = store.last_log_id().expect("it has a log");
        let entries = (0..LOGGED).map(|nth| {
            let payload = EntryPayload::Normal(Proposal(Arc::new(logged(nth))));
            let id = LogIdOf::<TypeConfig>::new(last.leader_id, last.index + 1 + nth as u64);
            RaftEntry::new(id, payload)
        });
        let entries: Vec<EntryOf<TypeConfig>> = entries.collect();
        let (done, on_disk) = TypeConfig::oneshot();
        let appended = store
            .log_store()
            .append(entries, IOFlushed::signal(done))
            .await;
        appended.expect("it is taken");
        on_disk
            .await
            .expect("it is notified")
            .expect("it is on disk");
        store.close().await;
    });
}

fn logged(nth: usize) -> Batch {
    let body = body(letter(nth), SERVICES);
    let announcement = Announcement::from_json(NODE_ID, body.as_bytes(), "test");
    Batch {
        max_age_ms: 600_000,
        step_ms: 500,
        commands: vec![Command::Announce {
            seen: u64::MAX,
            announcement: announcement.expect("a body of this test"),
        }],
    }
}

fn letter(nth: usize) -> char {
    char::from(b'a' + nth as u8)
}

/// Returns the number of the test's services that a lookup shows.
fn shown(node: &Node) -> usize {
    node.lookup("t").expect("it serves").len()
}

/// A node with a data directory of the previous release is soon ready. The log in this directory
/// contains eight announcements of 20,000 services. After the feature level of commands has risen,
/// the last announcement can still be renewed. A smaller or equally large announcement can replace
/// it, but a larger one cannot. The same holds after a restart.
#[test]
fn what_an_earlier_release_took_is_kept() {
    let mut cluster = Cluster::prepare(1, Options::max_age("10m").alone());
    let node = &mut cluster.nodes[0];
    node.etc.inventory.clear();
    node.etc.write();
    give_old_log(node);
    let begun = clock::now();
    node.start();
    node.wait_ready(READY_LIMIT * 5);
    let took = begun.elapsed();
    println!("ready after {took:?}");
    assert!(took < READY_LIMIT, "{took:?}");
    assert_eq!(shown(node), SERVICES);
    until("the level rises", READY_LIMIT * 5, || {
        node.log()
            .contains("every voter knows a higher level of commands")
            .then_some(())
    });
    let last = letter(LOGGED - 1);
    let cases = [
        (last, SERVICES, 202),
        ('y', SERVICES + 1, 400),
        ('y', SERVICES, 202),
        (last, SERVICES - 1, 202),
        (last, SERVICES, 400),
    ];
    for (letter, count, status) in cases {
        let answer = put(node, &body(letter, count));
        assert_eq!(answer.status, status, "{letter} {count}: {}", answer.body);
    }
    node.kill9();
    node.start();
    node.wait_ready(READY_LIMIT * 5);
    assert_eq!(shown(node), SERVICES - 1);
    for (count, status) in [(SERVICES - 1, 202), (10, 202), (SERVICES - 1, 400)] {
        let answer = put(node, &body(last, count));
        assert_eq!(answer.status, status, "{count}: {}", answer.body);
    }
    assert_eq!(shown(node), 10);
}
