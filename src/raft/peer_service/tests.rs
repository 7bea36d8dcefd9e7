//! Tests that send a peer's messages to a node in this process. The node must keep running,
//! whatever the messages contain.

use super::*;
use crate::clock::PauseDetector;
use crate::model::Lookup;
use crate::raft::transport::SnapshotChunk;
use crate::raft::transport::{Dialer, Forwarded, PeerClient, WriteResult};
use crate::raft::{Dial, LogRetention, Node, Options, PeerSecurity, PeerStream};
use crate::registry::{Batch, Command, LEVEL, Registry};
use crate::storage::types::SnapshotMeta;
use crate::storage::types::{Entry, LogId, Member, Proposal, StoredMembership, Vote};
use crate::storage::{OsFs, Store};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use openraft::async_runtime::WatchReceiver;
use openraft::entry::EntryPayload;
use openraft::impls::leader_id_adv::LeaderId;
use openraft::raft::AppendEntriesRequest;
use openraft::{Membership, ServerState};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);
const PIPE_BYTES: usize = 1 << 16;

/// A network in which every address leads to the same node of this process.
struct HelloTarget(Node);

impl Dial for HelloTarget {
    fn dial<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Box<dyn PeerStream>>> {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let node = self.0.clone();
        tokio::spawn(async move { node.serve_peer(far, PeerProof::Plain, 0).await });
        async { Ok(Box::new(near) as Box<dyn PeerStream>) }.boxed()
    }
}

/// A group of one node, and a peer that sends messages to it as if the peer were a member.
struct ServiceStage {
    node: Node,
    group: Arc<Group>,
    service: Arc<RaftPeerService>,
    link: PeerClient,
    _dir: tempfile::TempDir,
}

impl ServiceStage {
    async fn set() -> ServiceStage {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(Arc::new(OsFs), dir.path()).expect("a fresh directory");
        let node = Node::start(options(store)).await.expect("it starts");
        let (group, service) = tokio::time::timeout(LIMIT, async {
            loop {
                if let Some((group, service)) = node.parts_now().filter(|(group, _)| group.serves())
                {
                    return (group, service);
                }
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("it serves");
        let dialer = Dialer::Own(Arc::new(HelloTarget(node.clone())));
        ServiceStage {
            link: PeerClient::new("http://a:1", dialer),
            node,
            group,
            service,
            _dir: dir,
        }
    }

    fn speaker() -> PeerIdentity {
        PeerIdentity {
            name: NodeIdentity {
                node_id: "b".to_owned(),
                incarnation: 7,
            },
            environment: "test".to_owned(),
            process: 1,
            last_log_id: None,
            vote_term: 1,
        }
    }

    /// Returns the node's answer to a member's request.
    async fn answers(&self, request: Request) -> Response {
        let cluster_id = self.group.peers.cluster_id();
        let hello = Hello::member(ServiceStage::speaker(), cluster_id, self.group.raft_id());
        let answer = self.link.call(hello, request, LIMIT).await;
        answer.expect("it answers")
    }

    async fn refuses(&self, request: Request, reason: &str) {
        let answer = self.answers(request).await;
        let text = format!("{answer:?}");
        assert!(matches!(answer, Response::Failed(_)), "{text}");
        assert!(text.contains(reason), "{text}");
    }

    /// Asserts that the node keeps running: it answers a linearizable lookup, and nothing has
    /// failed.
    async fn goes_on(&self) {
        let lookup = Lookup::Type("presto".to_owned());
        let deadline = crate::clock::now() + LIMIT;
        self.node
            .lookup(&lookup, deadline)
            .await
            .expect("it serves");
        assert!(self.node.fatal().now_or_never().is_none());
        assert!(self.group.store().failed().borrow().is_none());
    }
}

fn options(store: Store) -> Options {
    Options {
        node_id: "a".to_owned(),
        environment: "test".to_owned(),
        address: "http://127.0.0.1:1".to_owned(),
        bind: None,
        security: PeerSecurity::Off,
        dial: None,
        inventory: None,
        max_age: Duration::from_secs(30),
        recovery_gap: Duration::from_secs(5),
        recovery_grace: Duration::from_secs(30),
        log_limits: LogRetention::default(),
        auto_rejoin: true,
        heartbeat: Duration::from_millis(100),
        election: (Duration::from_millis(300), Duration::from_millis(500)),
        store,
        pause_detector: PauseDetector::start(),
    }
}

fn log_id(index: u64) -> Option<LogId> {
    let leader = LeaderId {
        term: 1 << 20,
        node_id: 7,
    };
    Some(LogId::new(leader, index))
}

/// Returns a vote whose term is higher than that of any leader in these tests.
fn vote() -> Vote {
    Vote::new_committed(1 << 20, 7)
}

/// Returns the metadata and the body of a snapshot. The registry in the snapshot has applied the
/// log up to `index`.
fn snapshot(environment: &str, index: u64) -> (SnapshotMeta, Vec<u8>) {
    let mut registry = Registry::new(environment);
    registry.apply(
        index,
        &Batch {
            max_age_ms: 30_000,
            step_ms: 1_000,
            commands: Vec::new(),
        },
    );
    let member = Member {
        node_id: "a".to_owned(),
        incarnation: 1,
        address: "http://127.0.0.1:1".to_owned(),
    };
    let members = Membership::new(vec![BTreeSet::from([7])], BTreeMap::from([(7, member)]));
    let meta = SnapshotMeta {
        last_log_id: log_id(index),
        last_membership: StoredMembership::new(log_id(1), members.expect("a membership")),
    };
    (meta, registry.image().to_bytes())
}

fn piece(meta: SnapshotMeta, offset: u64, data: Vec<u8>, last: bool) -> Request {
    Request::Snapshot(Box::new(SnapshotChunk {
        vote: vote(),
        meta,
        offset,
        data,
        last,
    }))
}

/// A snapshot that cannot be installed is refused before openraft sees it, because openraft would
/// end the process. Such a snapshot is damaged or cut short, belongs to another environment, does
/// not have the log index of its metadata, or has a membership that no reader accepts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_cannot_be_installed_is_refused() {
    let stage = ServiceStage::set().await;
    let (meta, body) = snapshot("test", 1_000_000);
    let whole = |meta: &SnapshotMeta, body: Vec<u8>| piece(meta.clone(), 0, body, true);
    stage.refuses(whole(&meta, Vec::new()), "snapshot").await;
    stage
        .refuses(whole(&meta, vec![7; 100_000]), "snapshot")
        .await;
    let half = body[..body.len() / 2].to_vec();
    stage.refuses(whole(&meta, half), "snapshot").await;
    let mut flipped = body.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    stage.refuses(whole(&meta, flipped), "snapshot").await;
    let (_, foreign) = snapshot("prod", 1_000_000);
    stage
        .refuses(whole(&meta, foreign), "environment prod")
        .await;
    let (other, _) = snapshot("test", 2_000_000);
    stage
        .refuses(whole(&other, body.clone()), "says 2000000")
        .await;
    stage
        .refuses(piece(meta.clone(), 5, body.clone(), true), "was expected")
        .await;
    let long = Member {
        node_id: "a".to_owned(),
        incarnation: 1,
        address: "x".repeat(3 << 20),
    };
    let long = Membership::new(vec![BTreeSet::from([7])], BTreeMap::from([(7, long)]));
    let long = StoredMembership::new(log_id(1), long.expect("a membership"));
    let long = SnapshotMeta {
        last_membership: long,
        ..meta.clone()
    };
    stage.refuses(whole(&long, body), "membership").await;
    stage.goes_on().await;
    assert_eq!(stage.group.store().snapshots().load().expect("read"), None);
}

/// A node whose free disk space is below the floor takes no snapshot, just as it takes no entries.
/// Otherwise the write of a snapshot might end the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_takes_no_snapshot() {
    let stage = ServiceStage::set().await;
    let (meta, body) = snapshot("test", 1_000_000);
    stage.group.disk_low.store(true, Ordering::Relaxed);
    stage
        .refuses(piece(meta, 0, body, true), "disk of a is full")
        .await;
    stage.goes_on().await;
}

/// Entries that leave a gap in the log are refused, and so is a membership that the reader of the
/// log would reject. Otherwise the writer of the log would end the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_the_log_cannot_hold_are_refused() {
    let stage = ServiceStage::set().await;
    let last = stage.group.store().last_log_id();
    let next = last.map_or(0, |id| id.index + 1);
    let entry = |index, payload| Entry {
        log_id: log_id(index).expect("it is one"),
        payload,
    };
    let empty = Proposal(Arc::new(Batch {
        max_age_ms: 1,
        step_ms: 1,
        commands: Vec::new(),
    }));
    let appends = |entries| {
        Request::Append(AppendEntriesRequest {
            vote: vote(),
            prev_log_id: last,
            entries,
            leader_commit: None,
        })
    };
    let hole = vec![
        entry(next, EntryPayload::Normal(empty.clone())),
        entry(next + 2, EntryPayload::Normal(empty)),
    ];
    stage.refuses(appends(hole), "does not follow").await;
    let nobody = entry(next, EntryPayload::Membership(Membership::default()));
    stage.refuses(appends(vec![nobody]), "no voter").await;
    stage.goes_on().await;
    assert_eq!(
        stage.group.raft.metrics().borrow_watched().state,
        ServerState::Leader
    );
}

/// The memory for data from nodes that are not members is bounded. A rejection is stored as one
/// short line, and only few rejections and peers are stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_remembered_within_bounds() {
    let stage = ServiceStage::set().await;
    for i in 0..1_000u64 {
        let mut from = ServiceStage::speaker();
        from.name.incarnation = 100 + i;
        from.environment = "x".repeat(10_000);
        let (hello_reply, session) = stage
            .service
            .accept_hello(&Hello::non_member(from.clone()), &PeerProof::Plain);
        assert!(session.is_none());
        assert!(matches!(hello_reply, HelloReply::Refused { reason, .. } if reason.len() < 300));
        from.environment = "test".to_owned();
        let cluster_id = stage.group.peers.cluster_id();
        let hello = Hello::member(from, cluster_id, stage.group.raft_id());
        let (_, session) = stage.service.accept_hello(&hello, &PeerProof::Plain);
        assert!(session.is_some());
    }
    assert!(stage.service.bootstrap.rejections.bytes() < 64 << 10);
    assert!(stage.group.peers.state_count() <= 256);
    stage.goes_on().await;
}

/// A member cannot make the leader propose a command that retires a member or raises the feature
/// level, since only leaders propose such commands. A client's write in the same message is
/// accepted.
#[tokio::test]
async fn only_writes_of_clients_are_forwarded() {
    let stage = ServiceStage::set().await;
    let own = stage.group.raft_id();
    let retire = Command::Retire {
        raft_ids: vec![own],
    };
    let withdraw = Command::Withdraw {
        seen: 0,
        node_id: "w1".to_owned(),
    };
    let writes = [retire, Command::Level(LEVEL), withdraw].map(|command| (5_000, command));
    let forwarded = Forwarded {
        writes: writes.into(),
    };
    let Response::Forward(results) = stage.answers(Request::Forward(forwarded)).await else {
        panic!("it answers with results");
    };
    assert!(
        matches!(results[0], WriteResult::NotApplied(_)),
        "{results:?}"
    );
    assert!(
        matches!(results[1], WriteResult::NotApplied(_)),
        "{results:?}"
    );
    assert!(
        matches!(results[2], WriteResult::Done { .. }),
        "{results:?}"
    );
    assert!(!stage.group.replica.registry().is_retired(own));
    stage.goes_on().await;
}
