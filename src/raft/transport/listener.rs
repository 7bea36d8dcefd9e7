//! The server side of the transport: receives a connection's hello, then its requests.

use super::frame::{
    self, MAX_FRAME_BYTES, MAX_NON_MEMBER_FRAME_BYTES, MAX_REPLY_TO_NON_MEMBER_BYTES, Receiver,
    Sender,
};
use super::messages::{Hello, HelloReply, Request, Response};
use super::non_members::NonMembers;
use super::peer_security::PeerProof;
use bytes::Bytes;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc};

/// Maximum time for a peer to send its hello, and to receive the reply. A real peer sends its
/// hello immediately.
const HELLO_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum duration of a connection of a node that is not a member. Such a node sends one request
/// immediately and takes the answer.
const NON_MEMBER_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of requests served at a time on one connection. Further requests are not read
/// until one of these is done.
const MAX_AT_ONCE: usize = 256;

/// The service that handles the requests of connections.
pub(crate) trait PeerService: Send + Sync + 'static {
    /// The state of an accepted connection. It determines which requests are served.
    type Session: Send + Sync + 'static;

    /// Accepts a connection, or gives the reason for rejecting it.
    fn accept_hello(&self, hello: &Hello, proof: &PeerProof)
    -> (HelloReply, Option<Self::Session>);
    /// Returns the slots for connections of nodes that are not members.
    fn non_members(&self) -> &NonMembers;
    /// Returns whether a session belongs to a node that is not a member.
    fn is_non_member(&self, session: &Self::Session) -> bool;
    /// Returns whether a request that is read now may be served. A request is not served after its
    /// session has ended, or right after a pause of the process, when the sockets hold old
    /// requests.
    fn is_current(&self, session: &Self::Session, opened_epoch: u64) -> bool;
    /// Serves one request.
    fn serve(
        self: Arc<Self>,
        session: Arc<Self::Session>,
        request: Request,
    ) -> impl Future<Output = Response> + Send;
}

/// Serves one connection until it closes.
pub(crate) async fn serve<S, IO>(service: Arc<S>, io: IO, proof: &PeerProof, opened_epoch: u64)
where
    S: PeerService,
    IO: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut sender, mut receiver) = frame::split(io);
    let Ok(Ok(Some((_, hello)))) =
        tokio::time::timeout(HELLO_TIMEOUT, receiver.receive::<Hello>()).await
    else {
        return;
    };
    let (hello_reply, session) = service.accept_hello(&hello, proof);
    let sent = sender.send(0, &hello_reply, MAX_NON_MEMBER_FRAME_BYTES);
    if !matches!(tokio::time::timeout(HELLO_TIMEOUT, sent).await, Ok(Ok(()))) {
        return;
    }
    let Some(session) = session.map(Arc::new) else {
        return;
    };
    let connection = InboundConnection {
        service,
        session,
        opened_epoch,
    };
    if connection.service.is_non_member(&connection.session) {
        connection.serve_non_member(sender, receiver).await;
    } else {
        receiver.set_max_frame_bytes(MAX_FRAME_BYTES);
        connection.serve_member(sender, receiver).await;
    }
}

/// A connection that was accepted.
struct InboundConnection<S: PeerService> {
    service: Arc<S>,
    session: Arc<S::Session>,
    opened_epoch: u64,
}

impl<S: PeerService> InboundConnection<S> {
    /// Serves a node that is not a member: small requests, one after the other, until the slot is
    /// needed for another non-member or the time limit is reached.
    async fn serve_non_member<IO>(self, mut sender: Sender<IO>, mut receiver: Receiver<IO>)
    where
        IO: AsyncRead + AsyncWrite + Send + 'static,
    {
        let service = self.service.clone();
        let mut non_member = service.non_members().admit();
        let served = async {
            while let Ok(Some((number, request))) = receiver.receive::<Request>().await {
                if !self.service.is_current(&self.session, self.opened_epoch) {
                    return;
                }
                let answer = self.service.clone().serve(self.session.clone(), request);
                let answer = answer.await;
                let sent = sender.send(number, &answer, MAX_REPLY_TO_NON_MEMBER_BYTES);
                if sent.await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = served => {}
            () = non_member.sent_away() => {}
            () = tokio::time::sleep(NON_MEMBER_TIMEOUT) => {}
        }
    }

    /// Serves a member: many requests at the same time.
    async fn serve_member<IO>(self, mut sender: Sender<IO>, mut receiver: Receiver<IO>)
    where
        IO: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (answers, mut outgoing) = mpsc::channel::<Bytes>(MAX_AT_ONCE);
        let writer = async move {
            while let Some(first) = outgoing.recv().await {
                if sender
                    .send_all(first, || outgoing.try_recv().ok())
                    .await
                    .is_err()
                {
                    return;
                }
            }
        };
        let slots = Arc::new(Semaphore::new(MAX_AT_ONCE));
        let reader = async move {
            while let Ok(Some((number, request))) = receiver.receive::<Request>().await {
                if !self.service.is_current(&self.session, self.opened_epoch) {
                    return;
                }
                let Ok(slot) = slots.clone().acquire_owned().await else {
                    return;
                };
                let serving = self.service.clone().serve(self.session.clone(), request);
                let answers = answers.clone();
                tokio::spawn(async move {
                    let answer = serving.await;
                    if let Ok(frame) = frame_of(number, &answer) {
                        // If the send fails, the connection is closed, and the caller no longer
                        // waits.
                        let _ = answers.send(frame).await;
                    }
                    drop(slot);
                });
            }
        };
        tokio::select! {
            () = writer => {}
            () = reader => {}
        }
    }
}

/// Returns the frame of an answer. If the answer is too large for its reader, returns the frame of
/// an error answer instead.
fn frame_of(number: u64, answer: &Response) -> io::Result<Bytes> {
    frame::encode(number, answer, MAX_FRAME_BYTES).or_else(|error| {
        let failed = Response::Failed(error.to_string());
        frame::encode(number, &failed, MAX_FRAME_BYTES)
    })
}
