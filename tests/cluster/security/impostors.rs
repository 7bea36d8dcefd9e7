//! Tests of processes that answer at a member's address in its place.

use super::secrets::{PEER_AUTHENTICATION, assert_no_secret_logged, with_secret};
use crate::support::cluster::FORM_LIMIT;
use crate::support::peer_wire::{Hello, LogId, PeerIdentity, PeerWire, message};
use crate::support::{Cluster, Proxy, let_pass, until};
use serde::Serialize;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time for which an impostor answers: several rounds of status messages and reconnections.
const ANSWERS_FOR: Duration = Duration::from_secs(3);
/// Maximum time for which the impostor waits for a message.
const PATIENCE: Duration = Duration::from_secs(1);

/// Length of an impostor's name: more than a node logs, and less than the limit of a hello.
const LONG_NAME_BYTES: usize = 5_000;

/// The reply to a hello, in its wire format.
#[derive(Serialize)]
enum SentReply {
    Accepted(PeerIdentity),
    #[expect(dead_code, reason = "it has the second number on the wire")]
    NotYet,
    Refused {
        reason: String,
        fatal: bool,
    },
}

/// A process that upgrades every connection to the peer protocol of plain text. It gives each hello
/// the same reply.
struct Impostor {
    answered: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Impostor {
    /// Starts a process that tells each node that it must stop.
    fn that_refuses(address: SocketAddr) -> Impostor {
        let reason = "you were replaced".to_owned();
        Impostor::start(
            address,
            SentReply::Refused {
                reason,
                fatal: true,
            },
        )
    }

    fn start(address: SocketAddr, reply: SentReply) -> Impostor {
        let listener = until("the port is free", FORM_LIMIT, || {
            TcpListener::bind(address).ok()
        });
        let (answered, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, over) = (answered.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                // An error means that the node has closed the connection.
                if answer(stream, &reply).is_ok() {
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Impostor {
            answered,
            stop,
            address,
            thread: Some(thread),
        }
    }

    /// Returns the number of hellos that were answered.
    fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread, which waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Upgrades a connection and replies to the hello on it. Closes the connection after the next
/// message.
fn answer(mut stream: TcpStream, reply: &SentReply) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
        if !b"GET /v1/cluster/peer".starts_with(&head[..head.len().min(20)]) {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?;
            return Err(std::io::Error::other("it is not an upgrade"));
        }
    }
    stream.write_all(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\
        Upgrade: quorate-peer/1\r\n\r\n",
    )?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut hello = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut hello)?;
    let reply = message(0, reply);
    stream.write_all(&(reply.len() as u32).to_be_bytes())?;
    stream.write_all(&reply)?;
    // The node may close the connection at once.
    let _ = stream.read(&mut length);
    Ok(())
}

/// A process at a dead member's address that tells the others to stop is not believed. With
/// `require` it does not even get their hellos; with `permissive` it gets them in plain text.
#[test]
fn an_impostor_at_a_dead_members_address_stops_nobody() {
    for mode in ["require", "permissive"] {
        let mut cluster = Cluster::prepare(3, with_secret());
        for node in &mut cluster.nodes {
            node.set(PEER_AUTHENTICATION, mode);
        }
        cluster.start_all();
        cluster.wait_serving();
        cluster.nodes[2].stop();
        let impostor = Impostor::that_refuses(cluster.nodes[2].address());
        match mode {
            "permissive" => until("the impostor is asked", FORM_LIMIT, || {
                (impostor.answered() >= 4).then_some(())
            }),
            _ => let_pass(ANSWERS_FOR),
        }
        println!("{mode}: {} hellos", impostor.answered());
        assert_eq!(impostor.answered() > 0, mode == "permissive");
        for (token, node) in (1..).zip(&mut cluster.nodes[..2]) {
            assert!(node.is_alive(), "{}", node.log());
            node.announce_acked("kept", "engine", token);
        }
        assert_no_secret_logged(&cluster.nodes);
        drop(impostor);
        cluster.nodes[2].start();
        cluster.nodes[2].wait_ready(FORM_LIMIT);
    }
}

/// A node whose own messages are sent back to it recognizes that they are not meant for it. It
/// keeps running, and does not count as another member.
#[test]
fn a_reflected_dial_is_refused() {
    let mut cluster = Cluster::start(3, with_secret());
    cluster.nodes[2].stop();
    // Everything that node 0 sends to node 2 arrives at node 0 itself.
    cluster.nodes[0].stop();
    let reflector = Proxy::start(cluster.nodes[0].address());
    cluster.nodes[0].etc.inventory[2].1 = reflector.port;
    cluster.nodes[0].etc.write();
    cluster.nodes[0].start();
    cluster.nodes[0].wait_ready(FORM_LIMIT);
    let said = "the connection is meant for another";
    until("the reflection is refused", FORM_LIMIT, || {
        cluster.nodes[0].log().contains(said).then_some(())
    });
    let_pass(ANSWERS_FOR);
    assert!(cluster.nodes[0].is_alive());
    cluster.nodes[0].announce_acked("kept", "engine", 1);
    let status = cluster.nodes[0].status().expect("a status");
    let reflected = &status["members"][2];
    assert_eq!(reflected["node"], "quorate-3");
    assert_eq!(reflected["reachable"], false, "{status}");
}

/// While a group is changed node by node, a plain hello in the name of a member that has proved the
/// secret is refused, and what it says does not count against that member: the member continues,
/// although its next connection shows a shorter log than the forged hello did.
#[test]
fn a_forged_hello_does_not_stop_a_proven_member() {
    let mut cluster = Cluster::prepare(3, with_secret());
    for node in &mut cluster.nodes {
        node.set(PEER_AUTHENTICATION, "permissive");
    }
    cluster.start_all();
    cluster.wait_ready();
    let leader = cluster.leader();
    for (token, forged) in (1..).zip(cluster.others(leader)) {
        cluster.nodes[forged].announce_acked("kept", "engine", token);
        let (forged, target) = (&cluster.nodes[forged], &cluster.nodes[leader]);
        let mut hello = Hello::in_the_name_of(forged, target).expect("plain is accepted so far");
        hello.from.process = 1;
        hello.from.last_log_id = Some(LogId {
            term: 1 << 20,
            leader: 1,
            index: 1 << 40,
        });
        let refused = PeerWire::handshake(target, &hello)
            .err()
            .expect("it is refused");
        let reason =
            "has just proved the shared secret, so a plain connection in its name is refused";
        assert!(refused.to_string().contains(reason), "{refused}");
    }
    // Connections are replaced after a second of silence.
    let_pass(ANSWERS_FOR);
    for token in 10..13 {
        for i in 0..3 {
            assert!(cluster.nodes[i].is_alive(), "{}", cluster.nodes[i].log());
            cluster.nodes[i].announce_acked("kept", "engine", token);
        }
    }
}

/// A process at a stopped member's address that accepts hellos under another name does not take the
/// member's place, neither while a group is changed node by node nor without a secret. Its name,
/// which may be anything, is logged in part and on one line. The member is accepted when it
/// returns.
#[test]
fn a_process_of_another_name_takes_no_members_place() {
    for mode in ["permissive", "off"] {
        let mut cluster = Cluster::prepare(3, with_secret());
        for node in &mut cluster.nodes {
            node.set(PEER_AUTHENTICATION, mode);
        }
        cluster.start_all();
        cluster.wait_ready();
        cluster.nodes[2].stop();
        let name = format!("nobody\n{}", "x".repeat(LONG_NAME_BYTES));
        let reply = SentReply::Accepted(PeerIdentity {
            node_id: name,
            ..PeerIdentity::of_nobody()
        });
        let impostor = Impostor::start(cluster.nodes[2].address(), reply);
        let said = "the node that answers at its address calls itself nobody";
        for node in &cluster.nodes[..2] {
            until("another name is noticed", FORM_LIMIT, || {
                node.log().contains(said).then_some(())
            });
            let is_whole = |line: &str| line.contains(&"x".repeat(LONG_NAME_BYTES));
            assert!(!node.log().lines().any(is_whole), "it logs a long name");
            let same_line = format!("{said}?");
            assert!(node.log().contains(&same_line), "a name breaks the line");
        }
        assert!(impostor.answered() > 0);
        until("the member counts as unreachable", FORM_LIMIT, || {
            let status = cluster.nodes[0].status()?;
            (status["members"][2]["reachable"] == false).then_some(())
        });
        cluster.nodes[1].announce_acked("kept", "engine", 1);
        drop(impostor);
        cluster.nodes[2].start();
        cluster.nodes[2].wait_ready(FORM_LIMIT);
    }
}
