//! A server that says what a test tells it to, so that commands meet refusals, broken streams and silence at will.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// More than any test sends before it waits.
const QUEUE: usize = 64;

/// Far beyond what anything here takes on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What was asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path and query.
    pub target: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
}

/// What a test answers with, by the number of the request.
type Answering = dyn Fn(usize, &Request) -> Reply + Send + Sync;

/// What is answered.
pub enum Reply {
    /// A status and a body.
    Text(u16, String),
    /// Events as they come; the connection closes when the sender is gone.
    Events(Receiver<String>),
    /// Nothing, while the connection stays.
    Silence,
}

/// A stream of events that a test writes as it goes.
pub fn stream() -> (SyncSender<String>, Reply) {
    let (sender, receiver) = sync_channel(QUEUE);
    (sender, Reply::Events(receiver))
}

/// A stream that brings this and breaks off.
pub fn broken_stream(text: &str) -> Reply {
    let (sender, reply) = stream();
    sender.send(text.to_owned()).expect("the queue has room");
    reply
}

/// Listens on loopback until it is dropped.
pub struct FakeServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

struct Shared {
    reply: Box<Answering>,
    requests: Mutex<Vec<Request>>,
    came: Condvar,
    stopped: AtomicBool,
}

impl FakeServer {
    /// `reply` gets the number of the request, from 0, and the request.
    pub fn start(reply: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> FakeServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            reply: Box::new(reply),
            requests: Mutex::new(Vec::new()),
            came: Condvar::new(),
            stopped: AtomicBool::new(false),
        });
        let of_listener = Arc::clone(&shared);
        let listener = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if of_listener.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&of_listener);
                thread::spawn(move || shared.serve(stream));
            }
        });
        FakeServer {
            address,
            shared,
            listener: Some(listener),
        }
    }

    /// One that answers everything so.
    pub fn saying(status: u16, body: &str) -> FakeServer {
        let body = body.to_owned();
        FakeServer::start(move |_, _| Reply::Text(status, body.clone()))
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().expect("no panic").clone()
    }

    /// Waits until so many requests have come; panics when they do not.
    pub fn wait_for_requests(&self, count: usize) -> Vec<Request> {
        let held = self.shared.requests.lock().expect("no panic");
        let (requests, late) = self
            .shared
            .came
            .wait_timeout_while(held, TIME_LIMIT, |requests| requests.len() < count)
            .expect("no panic");
        assert!(
            !late.timed_out(),
            "{} requests of {count}: {requests:?}",
            requests.len()
        );
        requests.clone()
    }
}

impl Drop for FakeServer {
    /// New connections are refused from then on; streams that are open stay.
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener, which then closes.
        let _woken = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            let _ended = listener.join();
        }
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let Some(request) = read(&stream) else {
            return;
        };
        let number = {
            let mut requests = self.requests.lock().expect("no panic");
            requests.push(request.clone());
            requests.len() - 1
        };
        self.came.notify_all();
        // A client that has gone is what some tests are about.
        let _gone = answer(stream, (self.reply)(number, &request));
    }
}

fn answer(mut stream: TcpStream, reply: Reply) -> std::io::Result<()> {
    match reply {
        Reply::Text(status, body) => {
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status} \r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            )
        }
        Reply::Events(pieces) => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n"
            )?;
            pieces
                .iter()
                .try_for_each(|piece| stream.write_all(piece.as_bytes()))
        }
        // Until the client gives up.
        Reply::Silence => stream.read(&mut [0]).map(|_| ()),
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let target = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
    Some(Request {
        target,
        headers: headers.collect(),
    })
}
