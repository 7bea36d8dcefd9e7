//! Tests of clients that keep their connections open between requests.

use crate::support::many_clients::{raise_descriptors, runtime};
use crate::support::node::PATIENCE;
use crate::support::{Cluster, Options, http, let_pass, until};
use quorate::clock;
use rustix::process::{Resource, getrlimit};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const CLIENTS: usize = 10_000;
/// Number of clients that connect at the same time.
const OPENING_AT_ONCE: usize = 200;
/// Maximum growth of a node's memory: 6 kB for each of 10,000 clients. A client for which hyper
/// holds buffers takes 14 kB.
const GROWTH_LIMIT_KB: u64 = 60_000;
/// Maximum time until freed memory is returned to the system. The allocator returns it over some
/// seconds.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(30);
/// Number of connections that a node accepts. The last [`KEPT_FOR_PEERS`] of them are reserved for
/// peers.
const CONNECTIONS_MAX: usize = 16_384;
const KEPT_FOR_PEERS: usize = 64;
/// Descriptors that a process needs besides connections.
const OTHER_DESCRIPTORS: usize = 128;
const OTHERS: usize = 500;
const P99_LIMIT: Duration = Duration::from_millis(50);
const PACE: Duration = Duration::from_millis(5);
const REQUEST: &[u8] = b"GET /v1/service/none HTTP/1.1\r\nHost: h\r\n\r\n";

/// 10,000 clients that keep their connections open between requests take at most 60 MB together.
/// Each client is served when it sends the next request.
#[cfg(target_os = "linux")]
#[test]
fn clients_that_wait_take_little() {
    raise_descriptors();
    let cluster = Cluster::start(3, Options::max_age("10m").alone());
    let node = &cluster.nodes[0];
    node.announce_acked("presto", "w1", 1);
    let before_kb = node.resident_kb();
    let runtime = runtime();
    let clients = runtime.block_on(connected(node.address(), CLIENTS));
    let most_kb = node.resident_kb().saturating_sub(before_kb);
    let left_kb = until("the buffers are given back", GIVEN_BACK_WITHIN, || {
        let grown_kb = node.resident_kb().saturating_sub(before_kb);
        (grown_kb <= GROWTH_LIMIT_KB).then_some(grown_kb)
    });
    println!("{CLIENTS} clients: {most_kb} kB at first, {left_kb} kB left");
    runtime.block_on(async {
        for client in clients {
            ask(client).await;
        }
    });
}

/// A client that fills all connection slots with idle connections blocks no other client. Each idle
/// connection has sent one request. New connections of other clients are served as fast as before.
/// The other members keep the slots that are reserved for peers.
#[cfg(target_os = "linux")]
#[test]
fn idle_connections_make_room_for_others() {
    raise_descriptors();
    let allowed = getrlimit(Resource::Nofile)
        .maximum
        .map_or(usize::MAX, |limit| limit as usize);
    let permits = CONNECTIONS_MAX.min(allowed.saturating_sub(OTHER_DESCRIPTORS));
    let cluster = Cluster::start(3, Options::max_age("10m").alone());
    let node = &cluster.nodes[0];
    node.announce_acked("presto", "w1", 1);
    let runtime = runtime();
    let idle = runtime.block_on(connected(node.address(), permits - KEPT_FOR_PEERS));
    let mut took = Vec::with_capacity(OTHERS);
    for nth in 0..OTHERS {
        let began = clock::now();
        let path = "/v1/service/presto/general";
        let answer = http::request(node.address(), "GET", path, None, PATIENCE);
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "client {nth}: {}", answer.body);
        took.push(began.elapsed());
        let_pass(PACE);
    }
    took.sort();
    let p99 = took[OTHERS * 99 / 100];
    println!("{} idle connections: p99 of others {p99:?}", idle.len());
    assert!(p99 <= P99_LIMIT, "{p99:?}");
    // Even many simultaneous connections are accepted, because the node closes one idle connection
    // for each new connection.
    let others = runtime.block_on(connected(node.address(), OTHERS));
    assert!(node.is_ready());
    let mut peers = cluster.nodes[1..].iter();
    assert!(peers.all(|peer| peer.is_ready()), "the members are cut off");
    drop((idle, others));
}

/// Connects this many clients. Each client sends one request and reads the answer.
async fn connected(node: SocketAddr, clients: usize) -> Vec<TcpStream> {
    let mut connecting = JoinSet::new();
    let mut connected = Vec::with_capacity(clients);
    for _ in 0..clients {
        if connecting.len() == OPENING_AT_ONCE {
            let one = connecting.join_next().await;
            connected.extend(one.map(|client| client.expect("no panic")));
        }
        connecting.spawn(async move {
            let client = TcpStream::connect(node).await;
            ask(client.expect("the node listens")).await
        });
    }
    connected.extend(connecting.join_all().await);
    connected
}

/// Sends a request and returns the connection once the answer has been read.
async fn ask(mut client: TcpStream) -> TcpStream {
    client.write_all(REQUEST).await.expect("the node reads");
    let mut answer = Vec::new();
    // The body is a JSON object on a single line, so the answer ends with these bytes.
    while !answer.ends_with(b"}\n") {
        let read = client.read_buf(&mut answer).await.expect("an answer");
        assert_ne!(read, 0, "it is whole");
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    client
}
