//! The server side: takes a connection's hello, then its requests.

use super::frame::{
    self, MAX_ANSWER_TO_STRANGER_BYTES, MAX_FRAME_BYTES, MAX_STRANGER_FRAME_BYTES, Receiver, Sender,
};
use super::guests::Guests;
use super::messages::{Answer, Hello, Request, Welcome};
use bytes::Bytes;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc};

/// A peer says hello at once, or is no peer.
const HELLO_TIMEOUT: Duration = Duration::from_secs(2);
/// A node that is no member asks one thing, at once, and takes the answer.
const GUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests of one connection served at once; the next is not read before one is done.
const MAX_AT_ONCE: usize = 256;

/// What serves requests behind a connection.
pub(crate) trait PeerService: Send + Sync + 'static {
    /// What a connection that was let in may do.
    type Session: Send + Sync + 'static;

    /// Lets a connection in, or says why not.
    fn greet(&self, hello: &Hello) -> (Welcome, Option<Self::Session>);
    /// Where the connections of nodes that are no members are counted.
    fn guests(&self) -> &Guests;
    /// Whether a session is one of a node that is no member.
    fn is_guest(&self, session: &Self::Session) -> bool;
    /// Whether what is read now may be served: not by a process just woken, whose sockets hold old
    /// requests, nor once the session ended.
    fn awake(&self, session: &Self::Session, opened_epoch: u64) -> bool;
    /// Serves one request.
    fn serve(
        self: Arc<Self>,
        session: Arc<Self::Session>,
        request: Request,
    ) -> impl Future<Output = Answer> + Send;
}

/// Serves one connection until it closes.
pub(crate) async fn serve<S, IO>(service: Arc<S>, io: IO, opened_epoch: u64)
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
    let (welcome, session) = service.greet(&hello);
    let sent = sender.send(0, &welcome, MAX_STRANGER_FRAME_BYTES);
    if !matches!(tokio::time::timeout(HELLO_TIMEOUT, sent).await, Ok(Ok(()))) {
        return;
    }
    let Some(session) = session.map(Arc::new) else {
        return;
    };
    let connection = Connection {
        service,
        session,
        opened_epoch,
    };
    if connection.service.is_guest(&connection.session) {
        connection.serve_guest(sender, receiver).await;
    } else {
        receiver.take_up_to(MAX_FRAME_BYTES);
        connection.serve_member(sender, receiver).await;
    }
}

/// A connection that was let in.
struct Connection<S: PeerService> {
    service: Arc<S>,
    session: Arc<S::Session>,
    opened_epoch: u64,
}

impl<S: PeerService> Connection<S> {
    /// Serves a node that is no member: one request after the other, of small size, for as long as
    /// there is room.
    async fn serve_guest<IO>(self, mut sender: Sender<IO>, mut receiver: Receiver<IO>)
    where
        IO: AsyncRead + AsyncWrite + Send + 'static,
    {
        let service = self.service.clone();
        let mut guest = service.guests().admit();
        let served = async {
            while let Ok(Some((number, request))) = receiver.receive::<Request>().await {
                if !self.service.awake(&self.session, self.opened_epoch) {
                    return;
                }
                let answer = self.service.clone().serve(self.session.clone(), request);
                let answer = answer.await;
                let sent = sender.send(number, &answer, MAX_ANSWER_TO_STRANGER_BYTES);
                if sent.await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = served => {}
            () = guest.sent_away() => {}
            () = tokio::time::sleep(GUEST_TIMEOUT) => {}
        }
    }

    /// Serves a member: many requests at once.
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
                if !self.service.awake(&self.session, self.opened_epoch) {
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
                        // The connection is gone; so is whoever asked.
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

/// The frame of an answer; of one that is too large for its reader, the frame of an answer that
/// says so.
fn frame_of(number: u64, answer: &Answer) -> io::Result<Bytes> {
    frame::encode(number, answer, MAX_FRAME_BYTES).or_else(|error| {
        let failed = Answer::Failed(error.to_string());
        frame::encode(number, &failed, MAX_FRAME_BYTES)
    })
}
