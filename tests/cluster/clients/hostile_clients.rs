//! Tests of clients that try to exhaust a node: silent clients, slow clients, and more clients than
//! the node has descriptors.

use crate::support::many_clients::{raise_descriptors, runtime};
use crate::support::node::{Node, PATIENCE};
use crate::support::{Cluster, Options, http, let_pass, until};
use quorate::clock::{self, Instant};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// Number of clients that send nothing.
const IDLE: usize = 10_000;
/// Number of clients that send one byte a second: half of them in a request head, half in a body.
const SLOW: usize = 500;
/// Number of connections from each address. One address may open more connections than this without
/// sending a request.
const PER_ADDRESS: usize = 800;
/// Maximum time for which a hostile client may stay connected.
const CUT_WITHIN: Duration = Duration::from_secs(10);
/// Minimum time for which a hostile client stays connected, since a node gives every client time to
/// send its request.
const STAY_MIN: Duration = Duration::from_secs(7);
const P99_LIMIT: Duration = Duration::from_millis(50);
/// Maximum growth of a node's memory during the attack: 200 MB.
const GROWTH_LIMIT_KB: u64 = 200_000_000 / 1024;
const GOOD_CLIENTS: usize = 4;
/// Time between two lookups of a well-behaved client.
const PACE: Duration = Duration::from_millis(20);
/// Number of connections that are opened between two pauses while the attack is set up.
const OPENING_AT_ONCE: usize = 200;
/// Number of descriptors that a process opens first and never closes. A process that may open only
/// this number has no free descriptor for a new connection.
const LONG_LIVED_DESCRIPTORS: u64 = 8;
/// Number of clients that send only one byte. Both an HTTP/1 and an HTTP/2 request may begin with
/// this byte.
const UNDECIDED: usize = 4_000;
/// Time for which the undecided clients stay connected. It is shorter than the node's timeout for a
/// first request.
const UNDECIDED_FOR: Duration = Duration::from_secs(3);
/// Maximum processor time that the undecided clients may cost beyond silent clients. The limit only
/// allows for noise. On a node that polled each client every 10 ms, the clients cost 1,600 ms.
const UNDECIDED_LIMIT_MS: u64 = 200;
const PATH: &str = "/v1/service/presto/general";

/// Hostile clients do not noticeably slow down well-behaved clients. There are 10,000 silent
/// clients, and 500 clients that send one byte a second. The node disconnects all hostile clients
/// and releases their resources.
#[test]
fn good_clients_do_not_notice_hostile_ones() {
    raise_descriptors();
    let cluster = Cluster::start(3, Options::max_age("10m").alone());
    let node = &cluster.nodes[0];
    node.announce_acked("presto", "w1", 1);
    let (resident_kb, descriptors) = (node.resident_kb(), descriptors(node));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let good: Vec<_> = (0..GOOD_CLIENTS)
            .map(|_| scope.spawn(|| lookups_until(&over, node.address())))
            .collect();
        let attack = Attack::begin(node.address());
        let grown_kb = node.resident_kb().saturating_sub(resident_kb);
        let mut stayed = attack.end();
        over.store(true, Ordering::Release);
        let mut took: Vec<Duration> = good
            .into_iter()
            .flat_map(|client| client.join().expect("a good client is served"))
            .collect();
        stayed.sort();
        took.sort();
        let p99 = took[took.len() * 99 / 100];
        println!(
            "{} offenders, cut after {:?} at most, {grown_kb} kB; \
             {} lookups beside them, p99 {p99:?}, {:?} at most",
            stayed.len(),
            stayed[stayed.len() - 1],
            took.len(),
            took[took.len() - 1],
        );
        assert_eq!(stayed.len(), IDLE + SLOW);
        assert!(
            stayed[stayed.len() / 2] >= STAY_MIN,
            "they were turned away: nothing was borne"
        );
        assert!(stayed[stayed.len() - 1] <= CUT_WITHIN);
        assert!(p99 <= P99_LIMIT);
        assert!(grown_kb <= GROWTH_LIMIT_KB);
    });
    until("what they took is given back", PATIENCE, || {
        (self::descriptors(node) <= descriptors + 8).then_some(())
    });
}

/// A node without a free descriptor neither exits nor spins. It serves its existing connections,
/// and accepts new connections once it has descriptors again.
#[test]
fn a_node_without_descriptors_waits_for_some() {
    let cluster = Cluster::start(3, Options::max_age("10m"));
    let node = &cluster.nodes[0];
    node.announce_acked("presto", "w1", 1);
    let runtime = runtime();
    let mut connected = runtime
        .block_on(TcpStream::connect(node.address()))
        .expect("the node listens");
    runtime.block_on(lookup_on(&mut connected));
    let allowed = limit_descriptors(node, LONG_LIVED_DESCRIPTORS);
    // The kernel completes the connection and keeps it in the backlog, because the node has no
    // descriptor with which to accept it.
    let waiting = http::send(node.address(), "GET", PATH, None, PATIENCE).expect("a backlog");
    let (spent_before, spell) = (node.processor_ms(), Duration::from_secs(2));
    let_pass(spell);
    let spent_ms = node.processor_ms() - spent_before;
    runtime.block_on(lookup_on(&mut connected));
    assert!(waiting.is_silent(), "the limit has no effect");
    assert!(
        u128::from(spent_ms) < spell.as_millis() / 4,
        "{spent_ms} ms of processor in {spell:?}"
    );
    limit_descriptors(node, allowed);
    assert_eq!(waiting.answer().expect("an answer").status, 200);
}

/// Clients that send only one byte, with which either protocol may begin, cost a node no more
/// processor time than clients that send nothing.
#[test]
fn an_unfinished_beginning_is_not_watched_by_the_clock() {
    raise_descriptors();
    let cluster = Cluster::start(3, Options::max_age("10m").alone());
    let node = &cluster.nodes[0];
    let spent_ms = |sends: &'static [u8]| {
        let runtime = runtime();
        let clients = runtime.block_on(async {
            let mut clients = Vec::with_capacity(UNDECIDED);
            for nth in 0..UNDECIDED {
                let mut client = connect_from(nth / PER_ADDRESS, node.address()).await;
                client.write_all(sends).await.expect("the node reads");
                clients.push(client);
            }
            clients
        });
        let before_ms = node.processor_ms();
        let_pass(UNDECIDED_FOR);
        let spent_ms = node.processor_ms() - before_ms;
        drop(clients);
        spent_ms
    };
    let silent_ms = spent_ms(b"");
    let undecided_ms = spent_ms(b"P");
    println!(
        "{UNDECIDED} clients in {UNDECIDED_FOR:?}: silent {silent_ms} ms, \
         undecided {undecided_ms} ms"
    );
    assert!(undecided_ms <= silent_ms + UNDECIDED_LIMIT_MS);
}

/// Sets the soft limit on descriptors of a running node and returns the previous limit.
fn limit_descriptors(node: &Node, limit: u64) -> u64 {
    let pid = Pid::from_raw(node.pid() as i32).expect("a process id");
    let maximum = getrlimit(Resource::Nofile).maximum;
    let before = prlimit(
        Some(pid),
        Resource::Nofile,
        Rlimit {
            current: Some(limit),
            maximum,
        },
    )
    .expect("a child's limits are its parent's to set");
    before.current.unwrap_or(limit)
}

fn descriptors(node: &Node) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", node.pid()))
        .expect("a running process")
        .count()
}

async fn lookup_on(stream: &mut TcpStream) {
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: h\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    let mut head = [0; 12];
    let answered = tokio::time::timeout(PATIENCE, stream.read_exact(&mut head)).await;
    answered.expect("in time").expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 200");
    let mut rest = vec![0; 64 << 10];
    let read = stream.read(&mut rest).await.expect("the rest of it");
    assert_ne!(read, 0, "it goes on");
}

/// Repeats a lookup until the flag is set, and returns the duration of each.
fn lookups_until(over: &AtomicBool, node: SocketAddr) -> Vec<Duration> {
    let mut took = Vec::new();
    while !over.load(Ordering::Acquire) {
        let began = clock::now();
        let answer = http::request(node, "GET", PATH, None, PATIENCE).expect("an answer");
        assert_eq!(answer.status, 200);
        took.push(began.elapsed());
        let_pass(PACE);
    }
    took
}

/// The connections of all hostile clients.
struct Attack {
    runtime: tokio::runtime::Runtime,
    offenders: JoinSet<Duration>,
}

impl Attack {
    /// Connects all hostile clients, and returns once they are connected.
    fn begin(node: SocketAddr) -> Attack {
        let runtime = runtime();
        let mut offenders = JoinSet::new();
        for nth in 0..IDLE + SLOW {
            let connect = connect_from(nth / PER_ADDRESS, node);
            let stream = runtime.block_on(connect);
            let began = clock::now();
            let sends = match nth.checked_sub(IDLE) {
                None => String::new(),
                Some(slow) if slow % 2 == 0 => {
                    "GET /v1/service HTTP/1.1\r\nHost: node\r\n".to_owned()
                }
                Some(slow) => format!(
                    "PUT /v1/announcement/slow-{slow} HTTP/1.1\r\nHost: node\r\n\
                     Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
                ),
            };
            offenders.spawn_on(offend(stream, sends, began), runtime.handle());
            if nth % OPENING_AT_ONCE == 0 {
                let_pass(PACE);
            }
        }
        Attack { runtime, offenders }
    }

    /// Waits until all hostile clients are disconnected, and returns how long each of them stayed
    /// connected.
    fn end(self) -> Vec<Duration> {
        self.runtime.block_on(self.offenders.join_all())
    }
}

/// Connects from one of the many loopback addresses of this machine.
async fn connect_from(nth: usize, node: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a descriptor");
    let from = Ipv4Addr::new(127, 0, 1, 1 + nth as u8);
    socket
        .bind(SocketAddr::new(IpAddr::V4(from), 0))
        .expect("all of 127.0.0.0/8 is this machine");
    socket.connect(node).await.expect("the node listens")
}

/// Sends the given bytes at once, and after them one byte a second until the connection is closed.
/// If `sends` is empty, the client stays silent. Returns the time from `began` to the close.
async fn offend(mut stream: TcpStream, sends: String, began: Instant) -> Duration {
    let slow = !sends.is_empty();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut answer = [0; 512];
    let mut cut = stream.write_all(sends.as_bytes()).await.is_err();
    while !cut {
        tokio::select! {
            read = stream.read(&mut answer) => cut = matches!(read, Ok(0) | Err(_)),
            _ = second.tick(), if slow => cut = stream.write_all(b"x").await.is_err(),
        }
    }
    began.elapsed()
}
