use crate::support::many_clients::{raise_descriptors, runtime};
use crate::support::{Cluster, Options, until};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const CLIENTS: usize = 10_000;
/// That connect at the same time.
const OPENING_AT_ONCE: usize = 200;
/// 6 kB of each. 14 kB are taken while hyper has its buffers for them.
const GROWTH_LIMIT_KB: u64 = 60_000;
/// The allocator gives memory back over some seconds.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(30);
const REQUEST: &[u8] = b"GET /v1/service/none HTTP/1.1\r\nHost: h\r\n\r\n";

/// Proves that 10,000 clients that keep their connections between requests take 60 MB together, and are served when they ask again.
#[cfg(target_os = "linux")]
#[test]
fn clients_that_wait_take_little() {
    raise_descriptors();
    let cluster = Cluster::start(3, Options::max_age("10m").alone());
    let node = &cluster.nodes[0];
    node.announce_acked("presto", "w1", 1);
    let before_kb = node.resident_kb();
    let runtime = runtime();
    let clients = runtime.block_on(connected(node.address()));
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

/// All clients, each answered once.
async fn connected(node: SocketAddr) -> Vec<TcpStream> {
    let mut connecting = JoinSet::new();
    let mut connected = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
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

/// Asks, and gives the connection back once the answer is read.
async fn ask(mut client: TcpStream) -> TcpStream {
    client.write_all(REQUEST).await.expect("the node reads");
    let mut answer = Vec::new();
    // An object, in a line.
    while !answer.ends_with(b"}\n") {
        let read = client.read_buf(&mut answer).await.expect("an answer");
        assert_ne!(read, 0, "it is whole");
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    client
}
