//! Tests of arbitrary messages on the peer port: none stops a node, makes a snapshot unreadable, or
//! takes memory for long.

use crate::support::cluster::FORM_LIMIT;
use crate::support::peer_wire::{
    APPEND, Hello, JOIN, KINDS, LogId, PROBE, PeerIdentity, PeerWire, SNAPSHOT, Vote, join_request,
    request,
};
use crate::support::{Cluster, Options, let_pass, until};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Error;
use std::time::Duration;

/// Maximum growth of a node's memory: 20 MB.
const GROWTH_LIMIT_KB: u64 = 20_000_000 / 1024;
/// Maximum time until freed memory is returned to the system. The allocator returns pages some time
/// after they are free.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(20);
/// The lengths that frames claim to have.
const LENGTHS: [u32; 8] = [
    0,
    1,
    16 << 10,
    (16 << 10) + 1,
    1 << 20,
    64 << 20,
    (64 << 20) + 1,
    u32::MAX,
];
const LARGE_BYTES: usize = 30 << 20;
const MANY: usize = 300;
const A_MOMENT: Duration = Duration::from_millis(300);

/// Three nodes with data, and the resident memory of each before the test.
struct StrangerTest {
    cluster: Cluster,
    resident_kb: Vec<u64>,
}

impl StrangerTest {
    /// Starts the cluster, writes data, and measures the memory of each node.
    fn set() -> StrangerTest {
        let cluster = Cluster::start(3, Options::max_age("10m").quiet());
        for token in 0..50 {
            cluster.nodes[0].announce_acked("kept", "engine", token);
        }
        // The first connection of a non-member allocates memory once, which must not count as
        // growth.
        for node in &cluster.nodes {
            PeerWire::as_non_member(node).expect("it is let in");
        }
        let resident_kb = cluster
            .nodes
            .iter()
            .map(|node| node.resident_kb())
            .collect();
        StrangerTest {
            cluster,
            resident_kb,
        }
    }

    /// Returns the memory growth, since the start of the test, of the node that grew most.
    fn grown_kb(&self) -> u64 {
        let nodes = self.cluster.nodes.iter().zip(&self.resident_kb);
        let grown = nodes.map(|(node, before)| node.resident_kb().saturating_sub(*before));
        grown.max().unwrap_or_default()
    }

    fn assert_small(&self, what: &str) {
        let grown_kb = self.grown_kb();
        println!("{what}: {grown_kb} kB more");
        assert!(grown_kb < GROWTH_LIMIT_KB, "{what}: {grown_kb} kB more");
    }

    /// Checks that memory is released, and that all nodes continue with their data, both now and
    /// after a restart.
    fn ends_well(mut self) {
        until("memory is given back", GIVEN_BACK_WITHIN, || {
            (self.grown_kb() < GROWTH_LIMIT_KB).then_some(())
        });
        self.cluster.nodes[1].announce_acked("kept", "engine", 77);
        for node in &mut self.cluster.nodes {
            assert!(node.is_alive());
        }
        self.cluster.wait_all_voters(0);
        self.cluster.stop_all();
        self.cluster.start_all();
        self.cluster.wait_ready();
        for seen in self.cluster.tokens_everywhere("kept") {
            assert_eq!(seen.get("engine"), Some(&77));
        }
        for node in &self.cluster.nodes {
            let bytes = node.log().len();
            assert!(bytes < 1 << 20, "the log of a node has {bytes} bytes");
        }
    }
}

/// Opens many connections, and returns the accepted connections, which stay open until they are
/// dropped.
fn many(connect: impl Fn(usize) -> Result<PeerWire, Error>) -> Vec<PeerWire> {
    (0..MANY).filter_map(|i| connect(i).ok()).collect()
}

/// Returns contents that are not a request of any kind, or only a part of one.
fn garbage() -> Vec<Vec<u8>> {
    let pattern = |seed: u32, bytes: usize| -> Vec<u8> {
        let mut state = seed;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        std::iter::repeat_with(next).take(bytes).collect()
    };
    let mut all = vec![
        Vec::new(),
        vec![0],
        vec![0; 64],
        vec![0xff; 64],
        vec![0xff; 16_000],
    ];
    all.extend((1..20).map(|seed| pattern(seed, 200)));
    // The encoding of a text or a list that claims the largest possible length.
    all.push(vec![
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 7,
    ]);
    all
}

/// A non-member may send anything of any size. It stops no node, takes no memory for long, and does
/// not fill the node's log. The test sends wrong data before, in and after the hello, in frames
/// that are large or only claim to be large.
#[test]
fn a_stranger_may_send_anything() {
    let stage = StrangerTest::set();
    let node = &stage.cluster.nodes[0];
    for length in LENGTHS {
        let claimed = many(|_| {
            let mut wire = PeerWire::connect(node)?;
            wire.claim(length)?;
            wire.raw(&[7; 100])?;
            Ok(wire)
        });
        stage.assert_small(&format!(
            "{} hellos that claim {length} bytes",
            claimed.len()
        ));
    }
    let long = |bytes: usize| PeerIdentity {
        node_id: "x".repeat(bytes),
        environment: "elsewhere".to_owned(),
        ..PeerIdentity::of_nobody()
    };
    for bytes in [10_000, LARGE_BYTES] {
        for _ in 0..8 {
            let hello = Hello {
                version: 1,
                from: long(bytes),
                to: None,
            };
            // An error is ignored, because the node may close the connection before everything is
            // sent.
            let _ = PeerWire::handshake(node, &hello);
        }
        stage.assert_small(&format!("hellos of {bytes} bytes"));
    }
    for content in garbage() {
        let mut wire = PeerWire::connect(node).expect("a connection");
        let _ = wire.frame(&content);
    }
    for (version, environment) in [(2, "test"), (u32::MAX, "test"), (1, "prod"), (1, "a\nb")] {
        let from = PeerIdentity {
            environment: environment.to_owned(),
            ..PeerIdentity::of_nobody()
        };
        let hello = Hello {
            version,
            from,
            to: None,
        };
        assert!(
            PeerWire::handshake(node, &hello).is_err(),
            "{version}, {environment}"
        );
    }
    stage.assert_small("hellos that make no sense");

    let member = stage.cluster.nodes[2].etc.node_id.clone();
    for kind in 0..=KINDS {
        for content in garbage() {
            let (mut wire, _) = PeerWire::as_non_member(node).expect("it is let in");
            let _ = wire.frame(&request(kind, &content));
            if kind == PROBE {
                wire.receive().expect("a probe is answered");
            }
        }
        for length in LENGTHS {
            let (mut wire, _) = PeerWire::as_non_member(node).expect("it is let in");
            let _ = wire
                .claim(length)
                .and_then(|()| wire.raw(&request(kind, &[0; 50])));
        }
    }
    stage.assert_small("requests that make no sense");
    for (node_id, address_bytes) in [
        (&*member, 600),
        (&*member, 16_000),
        ("x", 20),
        ("a b", 20),
        ("", 0),
    ] {
        let (mut wire, _) = PeerWire::as_non_member(node).expect("it is let in");
        let content = join_request(node_id, 99, &"a".repeat(address_bytes));
        let _ = wire.frame(&request(JOIN, &content));
        let _ = wire.receive();
    }
    for _ in 0..4 {
        let (mut wire, _) = PeerWire::as_non_member(node).expect("it is let in");
        let content = join_request(&member, 99, &"a".repeat(LARGE_BYTES));
        let _ = wire.frame(&request(JOIN, &content));
    }
    stage.assert_small("requests to join");
    let non_members = many(|_| {
        let (mut wire, _) = PeerWire::as_non_member(node)?;
        // The end of the request is not sent, so that the node waits for it.
        wire.claim(16_000)?;
        wire.raw(&vec![1; 15_000])?;
        Ok(wire)
    });
    let_pass(A_MOMENT);
    stage.assert_small(&format!("{} non-members that stay", non_members.len()));
    let (mut wire, _) = PeerWire::as_non_member(node).expect("one more is let in");
    wire.frame(&request(PROBE, &[])).expect("it is sent");
    wire.receive().expect("one more is answered");
    drop(non_members);
    stage.ends_well();
}

/// A message in a member's name that is too large, truncated or meaningless stops no node and takes
/// no memory for long.
#[test]
fn a_malformed_message_in_a_members_name_harms_nothing() {
    let stage = StrangerTest::set();
    let (node, other) = (&stage.cluster.nodes[0], &stage.cluster.nodes[1]);
    let hello = Hello::in_the_name_of(other, node).expect("both answer");
    let wire = || PeerWire::handshake(node, &hello).expect("it is let in").0;
    for length in LENGTHS {
        let claimed: Vec<_> = (0..20)
            .map(|_| {
                let mut wire = wire();
                let _ = wire.claim(length).and_then(|()| wire.raw(&[7; 100]));
                wire
            })
            .collect();
        let_pass(A_MOMENT);
        stage.assert_small(&format!(
            "{} frames that claim {length} bytes",
            claimed.len()
        ));
    }
    for kind in 0..=KINDS {
        for content in garbage() {
            // An answer is not expected: requests of some kinds have no content, and the bytes that
            // follow are ignored.
            let _ = wire().frame(&request(kind, &content));
        }
    }
    stage.assert_small("requests that make no sense");
    for content in [vec![0; LARGE_BYTES], vec![0xff; LARGE_BYTES]] {
        let mut wire = wire();
        // A large request that ends in the middle.
        let _ = wire
            .claim(2 * LARGE_BYTES as u32)
            .and_then(|()| wire.raw(&content));
    }
    for content in malformed() {
        let mut wire = wire();
        wire.frame(&content).expect("it is sent");
        let answer = wire.receive().expect("it is answered");
        let text = String::from_utf8_lossy(&answer);
        println!("{}", text.trim());
    }
    stage.ends_well();
}

/// A membership in its wire format: the voters of each configuration, and the members by raft id.
type Members = (Vec<BTreeSet<u64>>, BTreeMap<u64, (String, u64, String)>);

fn members(voters: &[u64], address: Option<&str>) -> Vec<u8> {
    let member = |address: &str| (1, ("c".to_owned(), 1, address.to_owned()));
    let members: Members = (
        vec![voters.iter().copied().collect()],
        address.map(member).into_iter().collect(),
    );
    bytes(&members)
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("to memory")
}

fn log_id(index: u64) -> LogId {
    LogId {
        term: 1 << 40,
        leader: 7,
        index,
    }
}

const VOTE: Vote = Vote {
    term: 1 << 40,
    leader: 7,
    is_committed: true,
};

/// Returns an append request with these encoded entries after the index `before`.
fn append(before: u64, entries: &[Vec<u8>]) -> Vec<u8> {
    let head = bytes(&(VOTE, Some(log_id(before)), entries.len() as u8));
    let no_commit = bytes(&None::<LogId>);
    request(APPEND, &[head, entries.concat(), no_commit].concat())
}

/// Returns an encoded entry without a command.
fn blank(index: u64) -> Vec<u8> {
    bytes(&(log_id(index), 0u8))
}

/// Returns an encoded entry that changes the membership.
fn change(index: u64, members: &[u8]) -> Vec<u8> {
    [&bytes(&(log_id(index), 2u8)), members].concat()
}

/// Returns a snapshot request with the given encoded members and the given part of the snapshot's
/// data.
fn snapshot(members: &[u8], offset: u64, data: &[u8]) -> Vec<u8> {
    let head = bytes(&(VOTE, Some(log_id(9)), Some(log_id(1))));
    // The empty text is a field that openraft requires and older releases used.
    let tail = bytes(&("", offset, data, true));
    request(SNAPSHOT, &[&head, members, &tail].concat())
}

/// Returns appends and snapshots whose fields have the right types, but with contents that no log
/// and no snapshot could have.
fn malformed() -> Vec<Vec<u8>> {
    let nobody = members(&[1, 2], None);
    let long = members(&[1], Some(&"a".repeat(3 << 20)));
    let well = members(&[1], Some("http://c:1"));
    vec![
        append(8, &[blank(9), blank(11)]),
        append(8, &[blank(5)]),
        append(8, &[change(9, &nobody)]),
        append(8, &[change(9, &long)]),
        snapshot(&well, 0, &[]),
        snapshot(&well, 0, &[7; 5_000]),
        snapshot(&well, 5, &[7; 5_000]),
        snapshot(&nobody, 0, &[7; 5_000]),
        snapshot(&long, 0, &[7; 5_000]),
    ]
}

/// The group forms even while non-members occupy all connection slots that are available to them.
#[test]
fn strangers_do_not_keep_a_group_from_forming() {
    let mut cluster = Cluster::prepare(3, Options::default());
    cluster.nodes[0].start();
    until("the first node listens", FORM_LIMIT, || {
        PeerWire::as_non_member(&cluster.nodes[0]).ok()
    });
    let _guests = many(|_| PeerWire::as_non_member(&cluster.nodes[0]).map(|(wire, _)| wire));
    cluster.nodes[1].start();
    cluster.nodes[2].start();
    cluster.wait_ready();
}
