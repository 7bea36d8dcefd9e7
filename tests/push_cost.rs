//! Measures the cost of pushing changes to clients. Three release nodes run on loopback, and all
//! clients run in this process. The test prints figures. It fails only if a condition is broken
//! that holds on any machine.
//!
//! `cargo test --release --test push_cost -- --ignored --nocapture --test-threads 1`

#[path = "support/mod.rs"]
#[allow(dead_code, unused_imports)]
mod support;

use quorate::clock::{self, Instant};
use std::net::SocketAddr;
use std::time::Duration;
use support::many_clients::{raise_descriptors, runtime};
use support::{Cluster, Options, let_pass};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

const WATCHERS_PER_NODE: usize = 1_000;
const CHANGES: u64 = 100;
/// Time between two changes, so that the machine is idle before each.
const PACE: Duration = Duration::from_millis(200);
const HOLDS: usize = 10_000;
/// Time for which the processor time of held lookups is measured.
const IDLE_TIME: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(60);

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n{headers}\r\n")
}

async fn ask(to: SocketAddr, request: String) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.expect("the node listens");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("the node reads");
    stream
}

/// Reads until `mark` arrives, and returns everything up to the end of `mark`. Later bytes stay in
/// `rest`. Returns `None` at the end of the stream.
async fn until(stream: &mut TcpStream, rest: &mut Vec<u8>, mark: &[u8]) -> Option<Vec<u8>> {
    let mut chunk = [0; 4096];
    loop {
        if let Some(at) = rest.windows(mark.len()).position(|window| window == mark) {
            return Some(rest.drain(..at + mark.len()).collect());
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => rest.extend_from_slice(&chunk[..read]),
        }
    }
}

/// Watches a service type, and returns the arrival time of each change, or `None` when the stream
/// was refused.
async fn follow(to: SocketAddr, changes: u64, ready: watch::Sender<usize>) -> Option<Vec<Instant>> {
    let mut stream = ask(to, get("/v1/watch/presto/general", "")).await;
    let mut rest = Vec::new();
    let head = until(&mut stream, &mut rest, b"\r\n\r\n").await;
    let served = head.is_some_and(|head| head.starts_with(b"HTTP/1.1 200"));
    if served {
        until(&mut stream, &mut rest, b"\n\n").await?;
    }
    ready.send_modify(|count| *count += 1);
    if !served {
        return None;
    }
    let mut came = Vec::new();
    while came.len() < changes as usize {
        let event = until(&mut stream, &mut rest, b"\n\n").await?;
        if event.windows(13).any(|window| window == b"event: change") {
            came.push(clock::now());
        }
    }
    Some(came)
}

fn percentile(sorted: &[Duration], of_hundred: usize) -> Duration {
    sorted[(sorted.len() - 1) * of_hundred / 100]
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    println!(
        "{what}: median {:?}, p99 {:?}, max {:?} of {}",
        percentile(&times, 50),
        percentile(&times, 99),
        percentile(&times, 100),
        times.len()
    );
}

/// Prints the time from a change until it reaches thousands of watchers.
#[test]
#[ignore = "prints figures"]
fn a_change_reaches_every_watcher() {
    raise_descriptors();
    let cluster = Cluster::start(3, Options::max_age("10m").alone());
    let runtime = runtime();
    let (ready, mut count) = watch::channel(0);
    let mut watchers = JoinSet::new();
    for node in &cluster.nodes {
        for _ in 0..WATCHERS_PER_NODE {
            watchers.spawn_on(
                follow(node.address(), CHANGES, ready.clone()),
                runtime.handle(),
            );
        }
    }
    runtime.block_on(async {
        let all = count.wait_for(|count| *count == 3 * WATCHERS_PER_NODE);
        drop(
            tokio::time::timeout(PATIENCE, all)
                .await
                .expect("all watch"),
        );
    });
    let mut made = Vec::new();
    for token in 0..CHANGES {
        let node = &cluster.nodes[token as usize % 3];
        let sent = clock::now();
        node.announce_acked("presto", "w1", token);
        made.push((sent, clock::now()));
        let_pass(PACE);
    }
    let came = runtime.block_on(watchers.join_all());
    let (mut from_sent, mut from_acked) = (Vec::new(), Vec::new());
    for came in came {
        let came = came.expect("a stream that lasts");
        for (at, (sent, acked)) in came.iter().zip(&made) {
            from_sent.push(at.duration_since(*sent));
            from_acked.push(at.saturating_duration_since(*acked));
        }
    }
    report("change to watchers, from the PUT on", from_sent);
    report(
        "change to watchers, from its acknowledgement on",
        from_acked,
    );
}

/// Prints the processor time of thousands of held lookups.
#[test]
#[ignore = "prints figures"]
fn held_lookups_cost_little() {
    raise_descriptors();
    let settings = vec![("discovery.hold-time", "50s"), ("discovery.max-age", "10m")];
    let cluster = Cluster::start(
        3,
        Options {
            settings,
            ..Options::default()
        }
        .alone(),
    );
    let node = &cluster.nodes[1];
    for i in 0..100 {
        node.announce_acked("presto", &format!("w{i}"), i);
    }
    let path = "/v1/service/presto/general";
    let tag = node.get(path).expect("it serves").headers["etag"].clone();
    let cost = |what: &str| {
        let before = node.processor_ms();
        let_pass(IDLE_TIME);
        let used = node.processor_ms() - before;
        println!(
            "{what}: {} kB resident, {used} ms of processor in {IDLE_TIME:?}",
            node.resident_kb()
        );
    };
    cost("no lookup held");
    let runtime = runtime();
    let began = clock::now();
    let held = runtime.block_on(async {
        let mut held = Vec::new();
        for _ in 0..HOLDS {
            let request = get(path, &format!("ETag: {tag}\r\n"));
            held.push(ask(node.address(), request).await);
        }
        held
    });
    println!("{HOLDS} lookups sent in {:?}", began.elapsed());
    let_pass(Duration::from_secs(2));
    cost(&format!("{HOLDS} lookups held"));
    let sent = clock::now();
    node.announce_acked("presto", "w0", 1_000);
    let took = runtime.block_on(async {
        let mut answers = JoinSet::new();
        for mut stream in held {
            answers.spawn(async move {
                let mut rest = Vec::new();
                let head = until(&mut stream, &mut rest, b"\r\n\r\n")
                    .await
                    .expect("an answer");
                assert!(head.starts_with(b"HTTP/1.1 200"), "{head:?}");
                clock::now().duration_since(sent)
            });
        }
        answers.join_all().await
    });
    report("change to held lookups, from the PUT on", took);
    println!("after it: {} kB resident", node.resident_kb());
}

/// Watchers beyond the maximum number are refused, and all others are served.
#[test]
#[ignore = "prints figures"]
fn watchers_past_the_cap_are_refused_and_the_rest_served() {
    raise_descriptors();
    let cluster = Cluster::start(3, Options::max_age("10m").alone());
    let node = &cluster.nodes[1];
    let runtime = runtime();
    let (ready, mut count) = watch::channel(0);
    let mut watchers = JoinSet::new();
    const CLIENTS: usize = 20_000;
    runtime.block_on(async {
        // The connections are opened in waves, because the kernel drops connections that exceed its
        // backlog.
        for wave in 0..CLIENTS / 500 {
            for _ in 0..500 {
                watchers.spawn(follow(node.address(), 1, ready.clone()));
            }
            let arrived = count.wait_for(|count| *count >= (wave + 1) * 500);
            drop(
                tokio::time::timeout(PATIENCE, arrived)
                    .await
                    .expect("all are answered"),
            );
        }
    });
    println!("{CLIENTS} clients: {} kB resident", node.resident_kb());
    node.announce_acked("presto", "w1", 1);
    let came = runtime.block_on(watchers.join_all());
    let served = came.iter().flatten().count();
    println!("{served} of {CLIENTS} watched and saw the change, the rest were refused");
    assert_eq!(served, HOLDS);
    assert!(came.iter().flatten().all(|came| came.len() == 1));
}
