//! The listener, which accepts connections from the kernel's backlog.
//!
//! The listener determines the earliest [`PauseDetector`] epoch (number of suspensions) in which
//! each connection can have been opened. This epoch shows which requests are from before a
//! suspension of the process and must not be served (docs/decisions/0004).

use crate::clock::{Instant, PauseDetector, now};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Pause in accepting after an error of the process itself, such as a lack of file descriptors. The
/// connection that was not accepted stays in the backlog, so an immediate retry would fail again.
const PAUSE: Duration = Duration::from_millis(100);
/// Range of idle times, in seconds, after which a connection is probed (TCP keepalive). A dead
/// connection is detected within 30 s, which frees its permit for another client. The idle times
/// differ between connections, because thousands of connections that were opened together must not
/// all be probed at the same moment.
const KEEPALIVE_AFTER_S: Range<u64> = 8..16;
/// Time between two probes of a connection that does not respond.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Number of unanswered probes after which a connection is considered dead.
const KEEPALIVE_RETRIES: u32 = 3;

/// A connection just accepted.
pub(super) struct AcceptedConnection {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    /// The `PauseDetector` epoch at the moment when the backlog was last empty. The connection was
    /// opened after that moment.
    pub(super) opened_epoch: u64,
}

/// The acceptor of connections from the kernel's backlog.
///
/// - A connection that waited in the backlog during a suspension of the process gets an epoch from
///   before the suspension.
/// - `emptied_epoch` is the epoch in which the kernel itself last reported an empty backlog. The
///   runtime's view does not suffice, because just after a resume the runtime may not know of a
///   waiting connection.
/// - `emptied` is true from the kernel's report until a connection arrives or the process resumes.
pub(super) struct Backlog {
    listener: TcpListener,
    pause_detector: PauseDetector,
    resumes: watch::Receiver<u64>,
    emptied_epoch: u64,
    emptied: bool,
    /// The end of the pause after an error of the process itself.
    paused_until: Option<Instant>,
    /// Number of accepted connections.
    taken: u64,
}

impl Backlog {
    pub(super) fn new(listener: TcpListener, pause_detector: PauseDetector) -> Backlog {
        let (resumes, emptied_epoch) = (pause_detector.resumes(), pause_detector.epoch());
        Backlog {
            listener,
            pause_detector,
            resumes,
            emptied_epoch,
            emptied: false,
            paused_until: None,
            taken: 0,
        }
    }

    /// Returns the next connection. Cancel-safe: no connection is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> AcceptedConnection {
        loop {
            // The pause ends at a fixed time, because this future may be dropped and created again
            // many times during the pause.
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
                    return AcceptedConnection {
                        stream,
                        address,
                        opened_epoch: self.emptied_epoch,
                    };
                }
                Ok(None) => self.paused_until = None,
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    if self.paused_until.is_none() {
                        tracing::warn!(
                            target: "quorate::http::accept::backlog",
                            "cannot accept connections for now: {error}"
                        );
                    }
                    self.paused_until = Some(now() + PAUSE);
                }
            }
        }
    }

    /// Accepts a connection if one is waiting. Otherwise notes the epoch in which the backlog is
    /// empty.
    fn ask_kernel(&mut self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        // The epoch is read before the kernel is asked. A suspension between these two steps can
        // therefore make the epoch too old, but never too new.
        let epoch = self.pause_detector.epoch();
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
                self.configure(TcpStream::from_std(socket.into())?, address)
            }
        }
    }

    /// Waits until a connection arrives or the process resumes.
    async fn wait(&mut self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        tokio::select! {
            accepted = self.listener.accept() => {
                self.emptied = false;
                let (stream, address) = accepted?;
                self.configure(stream, address)
            }
            // After a resume, the kernel is asked even if no connection arrives. Otherwise the
            // first connection opened after the resume would count as opened before the resume.
            _ = self.resumes.changed() => {
                self.emptied = false;
                Ok(None)
            }
        }
    }

    /// Configures an accepted connection. `TCP_NODELAY` sends responses without delay. Keepalive
    /// detects a failed machine, whose connection would otherwise keep its permit forever.
    fn configure(
        &mut self,
        stream: TcpStream,
        address: SocketAddr,
    ) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        self.taken += 1;
        stream.set_nodelay(true)?;
        let keepalive = TcpKeepalive::new()
            .with_time(keepalive_after(self.taken))
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_RETRIES);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(Some((stream, canonical(address))))
    }
}

/// Returns the client's address, converted to IPv4 if it is an IPv4-mapped IPv6 address. A
/// dual-stack listener reports the address of an IPv4 client in that form.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether an error concerns only the connection being accepted. That connection is lost. The next
/// connection may then be accepted immediately.
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

/// Returns the idle time after which the nth connection is probed.
fn keepalive_after(nth: u64) -> Duration {
    let Range { start, end } = KEEPALIVE_AFTER_S;
    Duration::from_secs(start + nth % (end - start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    /// The address of an IPv4 client is an IPv4 address on every kind of listener.
    #[test]
    fn mapped_addresses_are_those_of_ipv4() {
        for (of_socket, own) in [
            ("[::ffff:10.0.0.1]:80", "10.0.0.1:80"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
        ] {
            let of_socket = of_socket.parse().expect("an address");
            assert_eq!(canonical(of_socket).to_string(), own);
        }
    }

    /// Connections opened together are not probed together, and each first probe is within
    /// `KEEPALIVE_AFTER_S`.
    #[tokio::test]
    async fn probes_are_spread() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mut backlog = Backlog::new(listener, PauseDetector::start());
        let mut probed_after = Vec::new();
        for _ in 0..16 {
            let _client = std::net::TcpStream::connect(address).expect("the kernel takes it");
            let accepted = backlog.next().await;
            let socket = SockRef::from(&accepted.stream);
            assert!(socket.keepalive().expect("an option"));
            probed_after.push(socket.tcp_keepalive_time().expect("an option").as_secs());
        }
        probed_after.sort();
        let expected: Vec<u64> = KEEPALIVE_AFTER_S.flat_map(|after| [after; 2]).collect();
        assert_eq!(probed_after, expected);
    }

    /// A connection that waited during a suspension has the epoch from before the suspension, even
    /// if it is accepted after the `PauseDetector` noticed the resume. Even the first connection
    /// opened after the resume has the new epoch.
    #[tokio::test]
    async fn what_waited_during_a_stop_is_from_before_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let connect = || std::net::TcpStream::connect(address).expect("the kernel takes it");
        let pause_detector = PauseDetector::start();
        let mut backlog = Backlog::new(listener, pause_detector.clone());
        assert!(backlog.next().now_or_never().is_none(), "nothing waits yet");

        for stops in 1..=2 {
            let _waited = [connect(), connect()];
            let mut resumes = pause_detector.resumes();
            pause_detector.pretend_stopped(Duration::from_secs(60));
            resumes.changed().await.expect("the detector runs");
            assert_eq!(pause_detector.epoch(), stops);
            assert_eq!(backlog.next().await.opened_epoch, stops - 1);
            assert_eq!(backlog.next().await.opened_epoch, stops - 1);
            assert!(backlog.next().now_or_never().is_none(), "both are taken");
        }
        let _new = connect();
        assert_eq!(backlog.next().await.opened_epoch, 2);
    }
}
