//! The client side of the transport: one connection per peer and kind of traffic, made when first
//! needed.

use super::dial::{DialedPeer, Dialer};
use super::error::{CallError, CallFailure, DialError, ProofError};
use super::frame::{
    self, MAX_FRAME_BYTES, MAX_NON_MEMBER_FRAME_BYTES, MAX_REPLY_TO_NON_MEMBER_BYTES, Receiver,
};
use super::identity::IdentityMismatch;
use super::messages::{Hello, HelloReply, PeerIdentity, Request, Response};
use super::peer_security::{PeerProof, PeerSecurity, without_digests};
use crate::clock::{self, Instant};
use crate::locks::lock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

/// Maximum time to make a connection. It is longer than an accept takes on a busy machine, and
/// shorter than an election.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);
/// Time without an answer after which a connection counts as silent. A firewall or a peer may drop
/// a connection without notice. A silent connection is therefore replaced when a call on it times
/// out, or before the next call if no caller waits on it. Otherwise a new leader would discover the
/// loss only with its first entries, and be blocked until these entries time out.
const SILENT_AFTER: Duration = Duration::from_secs(1);
/// Maximum number of requests queued on one connection. Further calls wait. The limit is far above
/// the number of requests that one node sends at the same time.
const MAX_IN_FLIGHT: usize = 1024;

/// The kinds of traffic that must not wait for each other. A heartbeat queued behind a snapshot
/// would cost an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Channel {
    /// Heartbeats, votes, read indexes, status messages.
    Control,
    /// Log entries.
    Log,
    /// Forwarded writes.
    Writes,
    /// Snapshots.
    Snapshot,
}

/// A client for one peer and one kind of traffic. It connects on the first call, and again after
/// the connection broke.
pub(crate) struct PeerClient {
    address: String,
    dialer: Dialer,
    check: Option<Check>,
    connection: AsyncMutex<Option<Arc<OutboundConnection>>>,
}

/// A check of the peer that answers, made before any request is sent to the peer. The second
/// argument is the reason why the peer gave no proof although this node can give one.
type Check = Box<dyn Fn(&PeerIdentity, Option<&str>) -> Result<(), IdentityMismatch> + Send + Sync>;

/// The channel for the answer to a request, or for the reason why the request was not sent.
type ResponseSender = oneshot::Sender<Result<Response, CallError>>;

/// An open connection to a peer. A task of its own drives it ([`run`]).
struct OutboundConnection {
    out: mpsc::Sender<(Request, ResponseSender)>,
    /// The time of the last answer, or of the handshake before the first answer.
    last_received: Arc<Mutex<Instant>>,
    /// Whether the peer's answers may stop this node ([`PeerSecurity::may_stop`]).
    may_stop: bool,
    /// The pending calls, owned by the task that drives the connection. When the task ends, every
    /// waiting caller is notified immediately that the connection broke.
    pending: Weak<Mutex<PendingCalls>>,
}

impl OutboundConnection {
    /// Returns whether no answer has arrived for [`SILENT_AFTER`].
    fn is_silent(&self) -> bool {
        clock::now().duration_since(*lock(&self.last_received)) > SILENT_AFTER
    }

    /// Returns whether the connection is in use: an answer arrived recently, or a caller waits for
    /// an answer. An idle connection may have died without notice.
    fn is_fresh(&self) -> bool {
        // Calls whose caller has given up do not count: they may wait on a dead connection.
        let is_unasked = self
            .pending
            .upgrade()
            .is_none_or(|pending| lock(&pending).values().all(oneshot::Sender::is_closed));
        !(is_unasked && self.is_silent())
    }
}

impl PeerClient {
    /// Creates a client for `http://host:port`.
    pub(crate) fn new(address: &str, dialer: Dialer) -> PeerClient {
        PeerClient {
            address: address.to_owned(),
            dialer,
            check: None,
            connection: AsyncMutex::new(None),
        }
    }

    /// Adds a check of the peer that answers at the address.
    pub(crate) fn checked(
        mut self,
        check: impl Fn(&PeerIdentity, Option<&str>) -> Result<(), IdentityMismatch>
        + Send
        + Sync
        + 'static,
    ) -> PeerClient {
        self.check = Some(Box::new(check));
        self
    }

    /// Sends a request to the peer and returns its answer. Connects with `hello` first if needed.
    ///
    /// Cancel-safe: only the answer is lost.
    pub(crate) async fn call(
        &self,
        hello: Hello,
        request: Request,
        limit: Duration,
    ) -> Result<Response, CallError> {
        let sent = std::sync::atomic::AtomicBool::new(false);
        let broken = || CallFailure::Broken(self.address.clone());
        let work = async {
            let connection = self.connected(hello).await?;
            let (reply, answer) = oneshot::channel();
            if connection.out.send((request, reply)).await.is_err() {
                return Err(CallError::NotSent(broken()));
            }
            sent.store(true, std::sync::atomic::Ordering::Relaxed);
            let answer = answer
                .await
                .unwrap_or_else(|_| Err(CallError::NoAnswer(broken())));
            match connection.may_stop {
                true => answer,
                false => answer.map(without_digests),
            }
        };
        match tokio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => {
                self.close_if_silent();
                let timeout = CallFailure::Timeout {
                    address: self.address.clone(),
                    limit,
                };
                let was_sent = sent.load(std::sync::atomic::Ordering::Relaxed);
                Err(if was_sent {
                    CallError::NoAnswer(timeout)
                } else {
                    CallError::NotSent(timeout)
                })
            }
        }
    }

    /// Drops a silent connection, since it may be dead without notice. The next call makes a new
    /// connection, and calls that already wait on the old one continue to wait. If a busy peer
    /// answers other calls in time, its connection is kept.
    fn close_if_silent(&self) {
        if let Ok(mut slot) = self.connection.try_lock()
            && slot
                .as_ref()
                .is_some_and(|connection| connection.is_silent())
        {
            *slot = None;
        }
    }

    /// Returns the current connection, or a new one if the current one is closed or has been idle
    /// for too long.
    ///
    /// If no new connection can be made, the current one is kept. A name server, a firewall or a
    /// peer without free capacity may block only new connections. If the peer refuses this node,
    /// the current connection is dropped.
    async fn connected(&self, hello: Hello) -> Result<Arc<OutboundConnection>, CallError> {
        let mut slot = self.connection.lock().await;
        let open = |connection: &&Arc<OutboundConnection>| !connection.out.is_closed();
        if let Some(fresh) = slot.as_ref().filter(open).filter(|old| old.is_fresh()) {
            return Ok(fresh.clone());
        }
        let connecting = connect(&self.address, &self.dialer, hello, self.check.as_ref());
        let made = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(made) => made,
            Err(_) => Err(self.dialer.no_answer(&self.address)),
        };
        let connection = match (made, slot.as_ref().filter(open)) {
            (Ok(made), _) => Ok(Arc::new(made)),
            (Err(CallError::NotSent(_) | CallError::NoAnswer(_)), Some(old)) => Ok(old.clone()),
            (Err(error), _) => Err(error),
        };
        *slot = connection.as_ref().ok().cloned();
        connection
    }
}

/// Dials the peer and performs the handshake.
async fn connect(
    address: &str,
    dialer: &Dialer,
    hello: Hello,
    check: Option<&Check>,
) -> Result<OutboundConnection, CallError> {
    let dialed = dialer.dial(address).await;
    let dialed = dialed.map_err(|error| CallError::not_connected(address, error))?;
    handshake(address, dialed, dialer.security(), hello, check).await
}

/// Sends the hello on a new connection and checks the peer that answers.
async fn handshake(
    address: &str,
    dialed: DialedPeer,
    security: &PeerSecurity,
    hello: Hello,
    check: Option<&Check>,
) -> Result<OutboundConnection, CallError> {
    // In TLS 1.3, the peer checks the key or the certificate of this node after the TLS handshake
    // has ended for this node. An error on a connection with TLS may therefore mean that the peer
    // refused it.
    let failed = |error: std::io::Error| match dialed.proof {
        PeerProof::Key(_) => CallError::not_connected(address, ProofError::of_key(error)),
        PeerProof::Certificate(_) => {
            CallError::not_connected(address, ProofError::of_certificate(error))
        }
        PeerProof::Plain => CallError::not_connected(address, error),
    };
    let may_stop = security.may_stop(&dialed.proof);
    let (mut sender, mut receiver) = frame::split(dialed.stream);
    let is_stranger = hello.to.is_none();
    sender
        .send(0, &hello, MAX_NON_MEMBER_FRAME_BYTES)
        .await
        .map_err(failed)?;
    match receiver.receive::<HelloReply>().await.map_err(failed)? {
        None => return Err(CallError::not_connected(address, DialError::Closed)),
        Some((_, HelloReply::Refused { reason, fatal })) => {
            let reason = shown_reason(&reason);
            let fatal = fatal && may_stop;
            return Err(CallError::Refused { reason, fatal });
        }
        Some((_, HelloReply::NotYet { reason })) => {
            return Err(CallError::NotSent(CallFailure::NotReady(shown_reason(
                &reason,
            ))));
        }
        Some((_, HelloReply::Accepted(identity))) => {
            let judged = check.map_or(Ok(()), |check| {
                check(&identity, dialed.plain_because.as_deref())
            });
            judged.map_err(|mismatch| CallError::Refused {
                reason: shown_reason(&mismatch.to_string()),
                fatal: false,
            })?;
        }
    }
    receiver.set_max_frame_bytes(match is_stranger {
        true => MAX_REPLY_TO_NON_MEMBER_BYTES,
        false => MAX_FRAME_BYTES,
    });
    let (out, requests) = mpsc::channel(MAX_IN_FLIGHT);
    let last_received = Arc::new(Mutex::new(clock::now()));
    let pending = Arc::default();
    let connection = OutboundConnection {
        out,
        last_received: last_received.clone(),
        may_stop,
        pending: Arc::downgrade(&pending),
    };
    let (security, proof) = (security.clone(), dialed.proof);
    tokio::spawn(async move {
        tokio::select! {
            () = run(sender, receiver, requests, last_received, pending) => {}
            () = security.withdrawn(&proof) => {}
        }
    });
    Ok(connection)
}

/// Returns a reason that contains a peer's text, shortened and without control characters. This
/// node repeats the reason in its own status and log, possibly for a long time.
fn shown_reason(reason: &str) -> String {
    /// Maximum number of characters that are kept. No node gives a longer reason.
    const REASON_CHARS_MAX: usize = 1_000;
    let chars = reason.chars().take(REASON_CHARS_MAX);
    chars
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// The callers that wait for an answer, by request number.
type PendingCalls = BTreeMap<u64, ResponseSender>;

/// Sends requests and delivers answers until either side closes the connection. Every waiting call
/// fails then.
async fn run<IO>(
    mut sender: frame::Sender<IO>,
    mut receiver: Receiver<IO>,
    mut requests: mpsc::Receiver<(Request, ResponseSender)>,
    last_received: Arc<Mutex<Instant>>,
    pending: Arc<Mutex<PendingCalls>>,
) where
    IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send,
{
    let send = async {
        let mut number = 0;
        let mut register = |(request, reply): (Request, ResponseSender)| {
            if reply.is_closed() {
                return None;
            }
            number += 1;
            match frame::encode(number, &request, MAX_FRAME_BYTES) {
                Ok(encoded) => {
                    lock(&pending).insert(number, reply);
                    Some(encoded)
                }
                Err(error) => {
                    // The caller may have given up in the meantime.
                    let _ = reply.send(Err(CallError::NotSent(error.into())));
                    None
                }
            }
        };
        while let Some(next) = requests.recv().await {
            let Some(first) = register(next) else {
                continue;
            };
            if sender
                .send_all(first, || register(requests.try_recv().ok()?))
                .await
                .is_err()
            {
                return;
            }
        }
    };
    let receive = async {
        while let Ok(Some((number, answer))) = receiver.receive::<Response>().await {
            *lock(&last_received) = clock::now();
            let reply = lock(&pending).remove(&number);
            if let Some(reply) = reply {
                // If the caller has given up, its answer is no longer needed.
                let _ = reply.send(Ok(answer));
            }
        }
    };
    tokio::select! {
        () = send => {}
        () = receive => {}
    }
}

#[cfg(test)]
mod tests;
