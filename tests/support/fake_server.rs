//! A server whose answers a test provides, so that commands can be tested with errors, broken
//! streams and servers that do not answer.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Maximum number of unsent events of a stream. No test writes more events before it waits.
const QUEUE: usize = 64;

/// Time limit for each step. It is far beyond the duration of any step on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// A request that the server has received.
#[derive(Debug, Clone)]
pub struct Request {
    /// The path and the query of the request.
    pub target: String,
    /// The headers by lower-case name.
    pub headers: BTreeMap<String, String>,
}

/// The function of a test that returns the answer to a request. It also gets the number of the
/// request, from 0.
type Answering = dyn Fn(usize, &Request) -> Reply + Send + Sync;

/// An answer of the server.
pub enum Reply {
    /// A status and a body.
    Text(u16, String),
    /// Events, each sent when the test writes it. The connection closes when the test drops the
    /// sender.
    Events(Receiver<String>),
    /// No answer, while the connection stays open.
    Silence,
}

/// Returns a stream of events as an answer, and the sender with which the test writes the events.
pub fn stream() -> (SyncSender<String>, Reply) {
    let (sender, receiver) = sync_channel(QUEUE);
    (sender, Reply::Events(receiver))
}

/// Returns a stream as an answer that sends this text and then closes the connection.
pub fn broken_stream(text: &str) -> Reply {
    let (sender, reply) = stream();
    sender.send(text.to_owned()).expect("the queue has room");
    reply
}

/// A server that listens on loopback until it is dropped.
pub struct FakeServer {
    address: SocketAddr,
    shared: Arc<FakeServerState>,
    listener: Option<JoinHandle<()>>,
}

struct FakeServerState {
    reply: Box<Answering>,
    requests: Mutex<Vec<Request>>,
    came: Condvar,
    stopped: AtomicBool,
}

impl FakeServer {
    /// Starts a server. `reply` receives the number of the request, from 0, and the request.
    pub fn start(reply: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> FakeServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(FakeServerState {
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

    /// Starts a server that answers every request with this status and body.
    pub fn saying(status: u16, body: &str) -> FakeServer {
        let body = body.to_owned();
        FakeServer::start(move |_, _| Reply::Text(status, body.clone()))
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns all requests that were received so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().expect("no panic").clone()
    }

    /// Waits until this many requests were received, and returns them. Panics when they do not
    /// arrive in time.
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
    /// Stops the listener. From then on new connections are refused, while open streams stay open.
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // This connection wakes the listener, which ends as a result.
        let _woken = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            let _ended = listener.join();
        }
    }
}

impl FakeServerState {
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
        // An error is ignored, because some tests close the connection before the answer.
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
        // The read returns when the client closes the connection.
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
