//! Lookups so large that rendering and compressing them takes long.

use crate::consistency::large_announcements::Over;
use crate::operation::full_registry::LoadClient;
use crate::support::node::{Node, announcement_path};
use crate::support::{Cluster, Options, let_pass};
use quorate::clock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Size of one announcement. The largest lookup of a full registry consists of a hundred such
/// announcements.
const SERVICE_BYTES: usize = 900_000;
const NODES: usize = 100;
/// Number of rounds. Each round changes the result of the lookup, and requests the result plain and
/// compressed.
const ROUNDS: usize = 5;
/// Interval between the small lookups beside the large ones.
const PACE: Duration = Duration::from_millis(2);
const LIMIT: Duration = Duration::from_millis(50);

/// Announces a large service whose text differs in each round.
fn put(client: &mut LoadClient, i: usize, round: usize) {
    // The text is partly compressible, like the announcements of engines.
    let text: String = (0..SERVICE_BYTES / 16)
        .map(|k| format!("{:016x}", (k * (i + 1)) as u64 * 0x9e37_79b9))
        .collect();
    let body = format!(
        r#"{{"environment":"test","pool":"p","location":"/","services":[
            {{"id":"s","type":"large","properties":{{"k":"{round}{text}"}}}}]}}"#
    );
    let path = announcement_path(&format!("n{i}"));
    let (status, line, _) = client.ask("PUT", &path, "", &body);
    assert_eq!(status, 202, "{line}");
}

/// Performs small lookups at a fixed rate until the flag is set. Returns the latency of each
/// lookup, counted from the time at which the lookup was due. The latency therefore includes the
/// wait behind a delayed lookup.
fn paced_lookups(node: &Node, over: &AtomicBool) -> Vec<Duration> {
    let mut client = LoadClient::connect(node.address());
    let (begun, mut took) = (clock::now(), Vec::new());
    while !over.load(Ordering::Acquire) {
        let due = begun + PACE * took.len() as u32;
        let_pass(due.duration_since(clock::now()));
        let (status, ..) = client.ask("GET", "/v1/service/beside", "", "");
        assert_eq!(status, 200);
        took.push(due.elapsed());
    }
    took
}

/// Rendering and compressing a lookup of ninety megabytes delays neither concurrent small lookups
/// nor the heartbeats of the node.
#[test]
fn a_large_lookup_holds_up_nobody() {
    let cluster = Cluster::start(1, Options::max_age("60m").alone());
    let node = &cluster.nodes[0];
    node.announce_acked("beside", "engine", 1);
    let term = || node.status().expect("a status")["term"].as_u64();
    let term_before = term();
    let mut client = LoadClient::connect(node.address());
    for i in 0..NODES {
        put(&mut client, i, 0);
    }
    let over = AtomicBool::new(false);
    let mut took = std::thread::scope(|scope| {
        let reader = scope.spawn(|| paced_lookups(node, &over));
        let telling = Over(&over);
        for round in 1..=ROUNDS {
            put(&mut client, round, round);
            for headers in ["", "Accept-Encoding: gzip\r\n"] {
                let begun = clock::now();
                let (status, _, bytes) = client.ask("GET", "/v1/service/large", headers, "");
                println!("{bytes} bytes after {:?}", begun.elapsed());
                assert_eq!(status, 200);
            }
        }
        drop(telling);
        reader.join().expect("lookups are served")
    });
    took.sort();
    let (p99, most) = (took[took.len() * 99 / 100], took[took.len() - 1]);
    println!(
        "{} lookups beside them, p99 {p99:?}, at most {most:?}",
        took.len()
    );
    assert!(p99 < LIMIT, "{p99:?}");
    assert_eq!(term(), term_before, "nobody was elected");
}
