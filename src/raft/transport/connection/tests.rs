use super::*;
use crate::raft::transport::dial::{Dial, PeerStream};
use crate::raft::transport::identity::NodeIdentity;
use crate::raft::transport::messages::SnapshotChunk;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::DuplexStream;

/// Maximum time of a call. It is longer than all other limits here, so a call that takes this long
/// was not answered at all.
const LIMIT: Duration = Duration::from_secs(60);

fn identity() -> PeerIdentity {
    PeerIdentity {
        name: NodeIdentity {
            node_id: "far".to_owned(),
            incarnation: 1,
        },
        environment: "test".to_owned(),
        process: 1,
        last_log_id: None,
        vote_term: 1,
    }
}

/// A peer that accepts a limited number of connections and sends a limited number of answers on
/// each.
struct FarEnd {
    /// Number of answers on each connection.
    answers: usize,
    /// Maximum number of connections.
    most: usize,
    /// The outcome of each connection attempt beyond `most`.
    then: Then,
    /// Whether a connection is closed after its last answer, instead of falling silent.
    closes: bool,
    dialled: Arc<AtomicUsize>,
}

/// The outcome of a connection attempt beyond the maximum.
#[derive(Clone, Copy)]
enum Then {
    /// The connection attempt never completes.
    Hangs,
    /// The connection attempt fails: no name, no route or no free capacity.
    Fails,
    /// The peer refuses this node.
    IsRefused,
}

impl Dial for FarEnd {
    fn dial<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Box<dyn PeerStream>>> {
        let (near, far) = tokio::io::duplex(1 << 16);
        match (
            self.dialled.fetch_add(1, Ordering::Relaxed) < self.most,
            self.then,
        ) {
            (true, _) => tokio::spawn(answer(far, self.answers, self.closes)),
            (false, Then::Hangs) => return std::future::pending().boxed(),
            (false, Then::Fails) => {
                return async { Err(io::Error::other("try again later")) }.boxed();
            }
            (false, Then::IsRefused) => tokio::spawn(refuse(far)),
        };
        async { Ok(Box::new(near) as Box<dyn PeerStream>) }.boxed()
    }
}

async fn answer(io: DuplexStream, mut answers: usize, closes: bool) {
    let (mut sender, mut receiver) = frame::split(io);
    receiver.receive::<Hello>().await.expect("a hello");
    let hello_reply = HelloReply::Accepted(identity());
    sender
        .send(0, &hello_reply, MAX_FRAME_BYTES)
        .await
        .expect("it is read");
    while let Ok(Some((number, _))) = receiver.receive::<Request>().await {
        if answers > 0 {
            answers -= 1;
            let index = Response::ReadIndex(Ok(number));
            sender
                .send(number, &index, MAX_FRAME_BYTES)
                .await
                .expect("it is read");
        } else if closes {
            return;
        }
    }
}

async fn refuse(io: DuplexStream) {
    let (mut sender, mut receiver) = frame::split(io);
    receiver.receive::<Hello>().await.expect("a hello");
    let hello_reply = HelloReply::Refused {
        reason: "another incarnation is meant".to_owned(),
        fatal: false,
    };
    let sent = sender.send(0, &hello_reply, MAX_FRAME_BYTES).await;
    sent.expect("it is read");
}

fn client(answers: usize) -> (PeerClient, Arc<AtomicUsize>) {
    link_to(answers, usize::MAX, Then::Hangs, false)
}

fn link_to(
    answers: usize,
    most: usize,
    then: Then,
    closes: bool,
) -> (PeerClient, Arc<AtomicUsize>) {
    let dialled = Arc::new(AtomicUsize::new(0));
    let far = FarEnd {
        answers,
        most,
        then,
        closes,
        dialled: dialled.clone(),
    };
    (
        PeerClient::new("http://far:1", Dialer::Own(Arc::new(far))),
        dialled,
    )
}

async fn call(client: &PeerClient) -> Result<Response, CallError> {
    let hello = Hello::non_member(identity());
    client.call(hello, Request::ReadIndex(None), LIMIT).await
}

/// No request is sent on a connection that was idle for long, since the connection may have died
/// without notice. The connection is replaced first.
#[tokio::test(start_paused = true)]
async fn a_connection_long_out_of_use_is_replaced() {
    let (client, dialled) = client(1);
    assert!(call(&client).await.is_ok());
    tokio::time::sleep(2 * SILENT_AFTER).await;
    let began = clock::now();
    assert!(
        call(&client).await.is_ok(),
        "the first connection is silent"
    );
    assert!(began.elapsed() < SILENT_AFTER);
    assert_eq!(dialled.load(Ordering::Relaxed), 2);
}

/// A connection in use is kept, and so is a connection with a pending call, no matter how long the
/// answer takes, because a peer with a slow disk is not dead.
#[tokio::test(start_paused = true)]
async fn a_connection_in_use_is_kept() {
    let (client, dialled) = client(10);
    for _ in 0..10 {
        assert!(call(&client).await.is_ok());
        tokio::time::sleep(SILENT_AFTER / 2).await;
    }
    let waiting = async {
        tokio::time::sleep(2 * SILENT_AFTER).await;
        assert!(call(&client).await.is_err(), "it is silent by now");
    };
    let (first, ()) = tokio::join!(call(&client), waiting);
    assert!(first.is_err());
    assert_eq!(dialled.load(Ordering::Relaxed), 1);
}

/// A request whose caller gave up does not make a dead connection count as in use.
#[tokio::test(start_paused = true)]
async fn a_connection_with_abandoned_requests_is_replaced() {
    let (client, dialled) = client(1);
    assert!(call(&client).await.is_ok());
    assert!(
        tokio::time::timeout(SILENT_AFTER / 2, call(&client))
            .await
            .is_err()
    );
    tokio::time::sleep(SILENT_AFTER).await;
    assert!(call(&client).await.is_ok());
    assert_eq!(dialled.load(Ordering::Relaxed), 2);
}

/// On a network that is too slow for new connections, the existing ones remain in use.
#[tokio::test(start_paused = true)]
async fn a_connection_that_cannot_be_replaced_in_time_is_used_on() {
    let (client, dialled) = link_to(10, 1, Then::Hangs, false);
    assert!(call(&client).await.is_ok());
    tokio::time::sleep(2 * SILENT_AFTER).await;
    let began = clock::now();
    assert!(call(&client).await.is_ok());
    assert!(began.elapsed() <= 2 * CONNECT_TIMEOUT);
    assert!(call(&client).await.is_ok());
    assert_eq!(dialled.load(Ordering::Relaxed), 2, "it is fresh again");
}

/// A working connection is kept if no new connection can be made, because the name server, a
/// firewall or a peer without free capacity may block new connections only.
#[tokio::test(start_paused = true)]
async fn a_connection_that_cannot_be_replaced_is_used_on() {
    let (client, dialled) = link_to(10, 1, Then::Fails, false);
    for tried in 1..5 {
        let answer = call(&client).await;
        assert!(answer.is_ok(), "{answer:?}");
        assert_eq!(dialled.load(Ordering::Relaxed), tried);
        tokio::time::sleep(2 * SILENT_AFTER).await;
    }
}

/// If a peer refuses this node, the existing connection to it is dropped too.
#[tokio::test(start_paused = true)]
async fn a_connection_to_a_peer_that_refuses_is_given_up() {
    let (client, dialled) = link_to(10, 1, Then::IsRefused, false);
    assert!(call(&client).await.is_ok());
    tokio::time::sleep(2 * SILENT_AFTER).await;
    for tried in 2..5 {
        let refused = call(&client).await;
        assert!(
            matches!(refused, Err(CallError::Refused { .. })),
            "{refused:?}"
        );
        assert_eq!(dialled.load(Ordering::Relaxed), tried);
    }
}

/// A request that is too large for its reader is not sent. The error says that, so the caller knows
/// that no part of the request was executed.
#[tokio::test(start_paused = true)]
async fn a_request_over_the_limit_is_not_sent() {
    let (client, _) = client(10);
    let chunk = SnapshotChunk {
        vote: crate::storage::types::Vote::new_committed(1, 1),
        meta: crate::storage::types::SnapshotMeta::default(),
        offset: 0,
        data: vec![0; MAX_FRAME_BYTES],
        last: false,
    };
    let request = Request::Snapshot(Box::new(chunk));
    let refused = client
        .call(Hello::non_member(identity()), request, LIMIT)
        .await;
    assert!(
        matches!(&refused, Err(CallError::NotSent(why))
            if why.to_string().contains("over the limit")),
        "{refused:?}"
    );
    assert!(call(&client).await.is_ok(), "the connection goes on");
}

/// A caller that waits on a connection gets an error as soon as the connection is closed, not after
/// its own timeout.
#[tokio::test(start_paused = true)]
async fn who_waits_on_a_closed_connection_is_told_at_once() {
    let (client, _) = link_to(1, usize::MAX, Then::Hangs, true);
    assert!(call(&client).await.is_ok());
    let began = clock::now();
    let result = call(&client).await;
    assert!(matches!(result, Err(CallError::NoAnswer(_))), "{result:?}");
    assert!(began.elapsed() < SILENT_AFTER, "{:?}", began.elapsed());
}
