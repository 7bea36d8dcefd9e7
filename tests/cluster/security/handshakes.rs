//! Tests of TLS clients that do not finish their handshake, or that are no peers.

use super::secrets::with_secret;
use crate::support::cluster::FORM_LIMIT;
use crate::support::peer_wire::PeerWire;
use crate::support::{Cluster, Options, http, until};
use quorate::clock;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Number of unfinished handshakes of one client at the same time.
const HANDSHAKES: usize = 900;
/// Maximum duration of an unfinished handshake.
const CUT_WITHIN: Duration = Duration::from_secs(10);
/// The beginning of a TLS handshake: a record of 512 bytes, whose message is a ClientHello.
const BEGINNING: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

/// Clients that send only the beginning of a handshake, or only its first byte, are disconnected
/// within 10 s. Meanwhile no leader is lost, a peer that was restarted comes back, and others are
/// served.
#[test]
fn unfinished_handshakes_harm_nobody() {
    let mut cluster = Cluster::start(3, with_secret());
    let leader = cluster.leader();
    let term =
        |cluster: &Cluster| cluster.nodes[leader].status().expect("a status")["term"].clone();
    let before = term(&cluster);
    let address = cluster.nodes[leader].address();
    let mut unfinished: Vec<TcpStream> = (0..HANDSHAKES)
        .map(|i| {
            let mut stream = TcpStream::connect(address).expect("the node accepts");
            stream.set_read_timeout(Some(CUT_WITHIN)).expect("a limit");
            let sent = if i % 2 == 0 {
                BEGINNING
            } else {
                &BEGINNING[..1]
            };
            stream.write_all(sent).expect("the node reads");
            stream
        })
        .collect();
    let opened = clock::now();
    let restarted = cluster.others(leader)[0];
    cluster.nodes[restarted].kill9();
    cluster.nodes[restarted].start();
    cluster.nodes[restarted].wait_ready(FORM_LIMIT);
    cluster.nodes[leader].announce_acked("kept", "engine", 1);
    for stream in &mut unfinished {
        let read = stream.read(&mut [0; 64]);
        assert!(
            !matches!(read, Ok(1..)),
            "an unfinished handshake is answered: {read:?}"
        );
    }
    let cut_after = opened.elapsed();
    println!("{HANDSHAKES} handshakes were cut after {cut_after:?}");
    assert!(cut_after < CUT_WITHIN);
    assert_eq!(term(&cluster), before, "a leader was lost");
}

/// A node without a secret answers TLS with 400. With a secret, the path of the peers is closed to
/// plain connections in every spelling.
#[test]
fn other_protocols_are_refused() {
    let open = Cluster::start(1, Options::default());
    let mut stream = TcpStream::connect(open.nodes[0].address()).expect("the node accepts");
    stream
        .write_all(&[BEGINNING, &[0; 506]].concat())
        .expect("the node reads");
    let mut answer = Vec::new();
    stream.set_read_timeout(Some(CUT_WITHIN)).expect("a limit");
    // The connection may be reset after the answer, since not everything was read.
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    PeerWire::as_non_member(&open.nodes[0]).expect("plain peers are accepted");
    drop(open);

    let closed = Cluster::start(1, with_secret());
    for path in [
        "/v1/cluster/peer",
        "/v1/cluster/peer/",
        "/v1/cluster;x=1/peer",
        "//v1/cluster//peer",
        "/v1/%63luster/peer",
        "http://n/v1/cluster/peer",
    ] {
        let upgrade = "Connection: upgrade\r\nUpgrade: quorate-peer/1\r\n";
        let sent = http::send_with(
            closed.nodes[0].address(),
            "GET",
            path,
            upgrade,
            None,
            CUT_WITHIN,
        );
        let status = sent
            .and_then(http::Pending::answer)
            .expect("a response")
            .status;
        assert!([426, 404].contains(&status), "{path}: {status}");
        assert_eq!(status == 404, path.contains('%'), "{path}");
    }
    until("the refusal is logged", FORM_LIMIT, || {
        closed.nodes[0]
            .log()
            .contains("refused 127.0.0.1: This node takes only")
            .then_some(())
    });
}
