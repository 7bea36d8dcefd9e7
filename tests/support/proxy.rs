//! A proxy in front of a node's port, which can lose every connection without closing one.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Forwards a port of its own to a node. After [`Proxy::lose`] nothing that it has accepted so far
/// brings anything any more, and nobody is told: what a machine that vanished looks like.
pub struct Proxy {
    /// Where it is reached.
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Grows with each loss; a connection forwards only in the generation in which it was opened.
    generation: AtomicU64,
    lost_bytes: AtomicU64,
}

/// While the generation is odd, new connections are lost too.
const LOSING: u64 = 1;

impl Proxy {
    /// Starts to forward to a node that may start later.
    pub fn start(to: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::new(State::default());
        let shared = state.clone();
        thread::spawn(move || {
            for from in listener.incoming().flatten() {
                accept(from, to, &shared);
            }
        });
        Proxy { port, state }
    }

    /// Loses every connection, and those that are opened until [`Proxy::heal`].
    pub fn lose(&self) {
        self.state.generation.fetch_or(LOSING, Ordering::SeqCst);
    }

    /// How much came and was not forwarded so far.
    pub fn lost_bytes(&self) -> u64 {
        self.state.lost_bytes.load(Ordering::SeqCst)
    }

    /// Forwards new connections again; the lost ones stay lost. Of one that loses none it changes nothing.
    pub fn heal(&self) {
        let healed = |generation: u64| (generation & LOSING != 0).then_some(generation + 1);
        // An error is that it was well.
        let _ = self
            .state
            .generation
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, healed);
    }
}

fn accept(from: TcpStream, to: SocketAddr, state: &Arc<State>) {
    let opened = state.generation.load(Ordering::SeqCst);
    let Ok(to) = TcpStream::connect(to) else {
        return;
    };
    let (Ok(from_too), Ok(to_too)) = (from.try_clone(), to.try_clone()) else {
        return;
    };
    for (source, sink) in [(from, to), (to_too, from_too)] {
        let state = state.clone();
        thread::spawn(move || pipe(source, sink, opened, &state));
    }
}

fn pipe(mut source: TcpStream, mut sink: TcpStream, opened: u64, state: &State) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = source.read(&mut buffer).unwrap_or(0);
        let forwards = opened & LOSING == 0 && state.generation.load(Ordering::SeqCst) == opened;
        match (read, forwards) {
            (0, true) => {
                let _ = sink.shutdown(Shutdown::Both);
                return;
            }
            // A lost connection is not closed either, for as long as the other end keeps it.
            (0, false) => return std::mem::forget(sink),
            (read, true) => {
                if sink.write_all(&buffer[..read]).is_err() {
                    return;
                }
            }
            (read, false) => {
                state.lost_bytes.fetch_add(read as u64, Ordering::SeqCst);
            }
        }
    }
}
