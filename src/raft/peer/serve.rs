//! The server side: takes a connection's hello, then its requests.

use super::frame;
use super::messages::{Answer, Hello, Request, Welcome};
use bytes::Bytes;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc};

/// A peer says hello at once, or is no peer.
const HELLO_TIMEOUT: Duration = Duration::from_secs(2);
/// Requests of one connection served at once; the next is not read before one is done.
const MAX_AT_ONCE: usize = 256;

/// What serves requests behind a connection.
pub(crate) trait PeerService: Send + Sync + 'static {
    /// What a connection that was let in may do.
    type Session: Send + Sync + 'static;

    /// Lets a connection in, or says why not.
    fn greet(&self, hello: &Hello) -> (Welcome, Option<Self::Session>);
    /// Whether what is read now may be served: not by a process just woken (amendment A3), nor once the session ended.
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
    if sender.send(0, &welcome).await.is_err() {
        return;
    }
    let Some(session) = session.map(Arc::new) else {
        return;
    };

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
            if !service.awake(&session, opened_epoch) {
                return;
            }
            let Ok(slot) = slots.clone().acquire_owned().await else {
                return;
            };
            let (service, session, answers) = (service.clone(), session.clone(), answers.clone());
            tokio::spawn(async move {
                let answer = service.serve(session, request).await;
                if let Ok(frame) = frame::encode(number, &answer) {
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
