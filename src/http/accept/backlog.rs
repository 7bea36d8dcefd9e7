//! The listener, and since when at the latest each connection has been waiting in it (amendment A3).

use crate::clock::{Beat, Instant, now};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How long nothing is accepted after an error that is the process's own, such as no descriptor left. The connection
/// that could not be taken stays in the backlog, so trying again at once would spin.
const PAUSE: Duration = Duration::from_millis(100);
/// A silent connection is probed after this, and taken for dead within 25 s: sooner than anybody waits for its place.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;

/// A connection just taken.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    /// The beat's epoch when the backlog was last seen empty: the connection was opened after that.
    pub(super) opened_epoch: u64,
}

/// Takes connections out of the kernel's backlog.
///
/// - A connection that waited there while the process was stopped has an epoch from before the stop.
/// - `emptied_epoch` moves only when the kernel itself said that nothing waits: that the runtime has seen nothing
///   says little just after a wake.
/// - `emptied` is false when something may have come, or a wake, since the kernel said so.
pub(super) struct Backlog {
    listener: TcpListener,
    beat: Beat,
    wakes: watch::Receiver<u64>,
    emptied_epoch: u64,
    emptied: bool,
    /// Set by an error of the process's own.
    paused_until: Option<Instant>,
}

impl Backlog {
    pub(super) fn new(listener: TcpListener, beat: Beat) -> Backlog {
        let (wakes, emptied_epoch) = (beat.wakes(), beat.epoch());
        Backlog {
            listener,
            beat,
            wakes,
            emptied_epoch,
            emptied: false,
            paused_until: None,
        }
    }

    /// The next connection. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Accepted {
        loop {
            // An instant, since this future may be dropped and made anew many times during the pause.
            if let Some(until) = self.paused_until {
                tokio::time::sleep_until(until).await;
            }
            let attempt = if self.emptied {
                self.wait().await
            } else {
                self.ask_kernel()
            };
            match attempt {
                Ok(Some((stream, address))) => {
                    self.paused_until = None;
                    return Accepted {
                        stream,
                        address,
                        opened_epoch: self.emptied_epoch,
                    };
                }
                Ok(None) => self.paused_until = None,
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    if self.paused_until.is_none() {
                        tracing::warn!("no connection can be accepted for now: {error}");
                    }
                    self.paused_until = Some(now() + PAUSE);
                }
            }
        }
    }

    fn ask_kernel(&mut self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        // Read before the kernel is asked: a stop between the two makes the epoch too old, never too new.
        let epoch = self.beat.epoch();
        match SockRef::from(&self.listener).accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.emptied_epoch = epoch;
                self.emptied = true;
                Ok(None)
            }
            Err(error) => Err(error),
            Ok((socket, address)) => {
                let address = address.as_socket().ok_or(io::ErrorKind::InvalidInput)?;
                socket.set_nonblocking(true)?;
                let stream = TcpStream::from_std(socket.into())?;
                tune(&stream)?;
                Ok(Some((stream, address)))
            }
        }
    }

    async fn wait(&mut self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        tokio::select! {
            accepted = self.listener.accept() => {
                self.emptied = false;
                let (stream, address) = accepted?;
                tune(&stream)?;
                Ok(Some((stream, address)))
            }
            // The backlog is looked at after a wake even when nothing comes, or the first connection opened after it
            // would count as opened before.
            _ = self.wakes.changed() => {
                self.emptied = false;
                Ok(None)
            }
        }
    }
}

/// Errors of the one connection, which is gone; the next may be tried at once.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, InvalidInput,
        NotConnected,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | Interrupted
            | InvalidInput
            | NotConnected
    )
}

/// Answers leave at once, and a peer or client whose machine is gone is noticed: without it the connection would keep
/// its place for ever.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    /// A connection that waited while the process was stopped is as old as the stop, even when it is taken after the
    /// beat has noticed the wake; one that came after it is not, even when nothing came in between.
    #[tokio::test]
    async fn what_waited_during_a_stop_is_from_before_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let connect = || std::net::TcpStream::connect(address).expect("the kernel takes it");
        let beat = Beat::start();
        let mut backlog = Backlog::new(listener, beat.clone());
        assert!(backlog.next().now_or_never().is_none(), "nothing waits yet");

        for stops in 1..=2 {
            let _waited = [connect(), connect()];
            let mut wakes = beat.wakes();
            beat.pretend_stopped(Duration::from_secs(60));
            wakes.changed().await.expect("the beat goes on");
            assert_eq!(beat.epoch(), stops);
            assert_eq!(backlog.next().await.opened_epoch, stops - 1);
            assert_eq!(backlog.next().await.opened_epoch, stops - 1);
            assert!(backlog.next().now_or_never().is_none(), "both are taken");
        }
        let _new = connect();
        assert_eq!(backlog.next().await.opened_epoch, 2);
    }
}
