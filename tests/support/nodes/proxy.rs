//! A proxy in front of a node's port. It can lose all data without closing a connection, or delay
//! the data that it forwards.

use crate::support::wait::let_pass;
use quorate_checker::random::Random;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

/// A proxy that forwards a port of its own to a node. After [`Proxy::lose`], its connections carry
/// no data, and neither end is notified, as if a machine had vanished.
pub struct Proxy {
    /// The port of the proxy.
    pub port: u16,
    state: Arc<State>,
}

/// The way in which a proxy forwards each piece of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Each piece is forwarded at once.
    Prompt,
    /// Each piece is delayed by `by`, plus a random part of `jitter`.
    Late { by: Duration, jitter: Duration },
    /// This percentage of pieces is lost and sent again, as by TCP. The first loss delays a piece
    /// by `resent`. Each further loss doubles the delay and adds `resent`.
    Lossy { percent: u64, resent: Duration },
}

struct State {
    /// The generation, which increases with each [`Proxy::lose`] and [`Proxy::heal`]. A connection
    /// forwards data only if it was opened in the current generation, and if this generation is
    /// even.
    generation: AtomicU64,
    lost_bytes: AtomicU64,
    held_back: AtomicU64,
    pace: Mutex<(Pace, Random)>,
    /// The open ends of lost connections. They are closed only when the proxy is dropped.
    never_closed: Mutex<Vec<Arc<TcpStream>>>,
    /// The accepted connections, as long as they are open.
    accepted: Mutex<Vec<Weak<TcpStream>>>,
    is_over: AtomicBool,
}

/// The bit of the generation that is set while new connections are lost too.
const LOSING: u64 = 1;

impl Proxy {
    /// Starts a proxy to a node, which may start later.
    pub fn start(to: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::new(State {
            generation: AtomicU64::new(0),
            lost_bytes: AtomicU64::new(0),
            held_back: AtomicU64::new(0),
            pace: Mutex::new((Pace::Prompt, Random::new(port.into()))),
            never_closed: Mutex::new(Vec::new()),
            accepted: Mutex::new(Vec::new()),
            is_over: AtomicBool::new(false),
        });
        let shared = state.clone();
        thread::spawn(move || {
            for from in listener.incoming().flatten() {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                accept(from, to, &shared);
            }
        });
        Proxy { port, state }
    }

    /// Loses every open connection, and all connections that are opened until [`Proxy::heal`].
    pub fn lose(&self) {
        self.state.generation.fetch_or(LOSING, Ordering::SeqCst);
    }

    /// Closes every open connection at once, which loses the data in transit. New connections are
    /// forwarded.
    pub fn break_off(&self) {
        for connection in self.state.accepted().drain(..).filter_map(|c| c.upgrade()) {
            // The connection may be closed already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Sets the way in which data is forwarded from now on.
    pub fn set_pace(&self, pace: Pace) {
        self.state.pace().0 = pace;
    }

    /// Returns the number of bytes that were received but not forwarded so far.
    pub fn lost_bytes(&self) -> u64 {
        self.state.lost_bytes.load(Ordering::SeqCst)
    }

    /// Returns the number of pieces of data that were delayed so far.
    pub fn held_back(&self) -> u64 {
        self.state.held_back.load(Ordering::SeqCst)
    }

    /// Forwards new connections again. Lost connections stay lost. Has no effect if the proxy is
    /// not losing connections.
    pub fn heal(&self) {
        let healed = |generation: u64| (generation & LOSING != 0).then_some(generation + 1);
        // An error means that the proxy was not losing connections.
        let _ = self
            .state
            .generation
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, healed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        // This connection wakes the listener, which ends as a result. A failed connection does not
        // matter.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.state.never_closed().clear();
    }
}

impl State {
    fn pace(&self) -> std::sync::MutexGuard<'_, (Pace, Random)> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accepted(&self) -> std::sync::MutexGuard<'_, Vec<Weak<TcpStream>>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_accepted(&self, connection: &Arc<TcpStream>) {
        let mut accepted = self.accepted();
        accepted.retain(|earlier| earlier.strong_count() > 0);
        accepted.push(Arc::downgrade(connection));
    }

    fn never_closed(&self) -> std::sync::MutexGuard<'_, Vec<Arc<TcpStream>>> {
        self.never_closed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Chooses the delay of the next piece of data.
    fn hold(&self) -> Duration {
        let (pace, random) = &mut *self.pace();
        match *pace {
            Pace::Prompt => Duration::ZERO,
            Pace::Late { by, jitter } => {
                by + Duration::from_millis(random.below(jitter.as_millis() as u64))
            }
            Pace::Lossy { percent, resent } => {
                let mut late = Duration::ZERO;
                while random.below(100) < percent {
                    late = 2 * late + resent;
                }
                late
            }
        }
    }
}

/// Connects an accepted connection to the node, and forwards both directions.
fn accept(from: TcpStream, to: SocketAddr, state: &Arc<State>) {
    let opened = state.generation.load(Ordering::SeqCst);
    let Ok(to) = TcpStream::connect(to) else {
        return;
    };
    let (from, to) = (Arc::new(from), Arc::new(to));
    state.note_accepted(&from);
    for (source, sink) in [(from.clone(), to.clone()), (to, from)] {
        // Without TCP_NODELAY, the last segment of a message waits for an acknowledgement.
        let _ = sink.set_nodelay(true);
        let state = state.clone();
        thread::spawn(move || pipe(&source, sink, opened, &state));
    }
}

/// Forwards one direction of a connection until it ends.
fn pipe(mut source: &TcpStream, sink: Arc<TcpStream>, opened: u64, state: &State) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = source.read(&mut buffer).unwrap_or(0);
        let held = state.hold();
        if read > 0 && !held.is_zero() {
            state.held_back.fetch_add(1, Ordering::SeqCst);
            let_pass(held);
        }
        let forwards = opened & LOSING == 0 && state.generation.load(Ordering::SeqCst) == opened;
        match (read, forwards) {
            (0, true) => {
                let _ = sink.shutdown(Shutdown::Both);
                return;
            }
            // One end has closed a lost connection. The connection to the other end stays open, so
            // that the other end does not notice.
            (0, false) => {
                if !state.is_over.load(Ordering::SeqCst) {
                    state.never_closed().push(sink);
                }
                return;
            }
            (read, true) => {
                if (&*sink).write_all(&buffer[..read]).is_err() {
                    return;
                }
            }
            (read, false) => {
                state.lost_bytes.fetch_add(read as u64, Ordering::SeqCst);
            }
        }
    }
}
