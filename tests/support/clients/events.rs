//! A reader of server-sent events on a blocking socket. It returns every event as soon as its last
//! line arrives.

use quorate::clock;
use serde_json::Value;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A server-sent event, or a heartbeat, which has no name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub name: Option<String>,
    /// The id of the event; empty when the stream did not send one.
    pub id: String,
    pub data: Value,
}

/// An open stream of server-sent events.
pub struct Events {
    stream: TcpStream,
    /// Bytes that were read but do not make up a whole event yet.
    rest: Vec<u8>,
}

impl Events {
    /// Opens a stream. The stream resumes after the event with the given id, if there is an id. The
    /// request uses HTTP/1.0, so that the body is not chunked.
    pub fn open(
        to: SocketAddr,
        path: &str,
        last_id: Option<&str>,
        limit: Duration,
    ) -> Result<Events, Error> {
        let mut stream = TcpStream::connect_timeout(&to, limit)?;
        stream.set_nodelay(true)?;
        let resumes = last_id.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        let head = format!("GET {path} HTTP/1.0\r\nAccept: text/event-stream\r\n{resumes}\r\n");
        stream.write_all(head.as_bytes())?;
        let mut events = Events {
            stream,
            rest: Vec::new(),
        };
        let head = events.until(b"\r\n\r\n", limit)?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status != "200" {
            return Err(Error::other(format!("answered {status}")));
        }
        Ok(events)
    }

    /// Returns the next event or heartbeat. Returns an error when none arrives in time, or when the
    /// stream ends.
    pub fn next(&mut self, limit: Duration) -> Result<Event, Error> {
        let text = self.until(b"\n\n", limit)?;
        let mut event = Event {
            name: None,
            id: String::new(),
            data: Value::Null,
        };
        for line in text.lines().filter(|line| !line.is_empty()) {
            match line.split_once(": ") {
                Some(("event", name)) => event.name = Some(name.to_owned()),
                Some(("id", id)) => event.id = id.to_owned(),
                Some(("data", data)) => event.data = serde_json::from_str(data)?,
                _ => return Err(Error::other(format!("a line of no event: {line}"))),
            }
        }
        Ok(event)
    }

    /// Returns the next event that has a name.
    pub fn named(&mut self, limit: Duration) -> Result<Event, Error> {
        let deadline = clock::now() + limit;
        loop {
            let event = self.next(deadline.saturating_duration_since(clock::now()))?;
            if event.name.is_some() {
                return Ok(event);
            }
        }
    }

    /// Returns the bytes up to and including the next `end`.
    fn until(&mut self, end: &[u8], limit: Duration) -> Result<String, Error> {
        let deadline = clock::now() + limit;
        let mut chunk = [0u8; 16 * 1024];
        // The part before this position does not contain the end. An event of a megabyte arrives in
        // many chunks, and each chunk is searched once.
        let mut searched = 0;
        loop {
            let found = self.rest[searched..]
                .windows(end.len())
                .position(|window| window == end);
            if let Some(at) = found {
                let text = self.rest.drain(..searched + at + end.len()).collect();
                return String::from_utf8(text).map_err(Error::other);
            }
            searched = self.rest.len().saturating_sub(end.len() - 1);
            let left = deadline.saturating_duration_since(clock::now());
            if left.is_zero() {
                return Err(Error::new(ErrorKind::TimedOut, "no event in time"));
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut chunk)? {
                0 => return Err(Error::new(ErrorKind::UnexpectedEof, "the stream ended")),
                read => self.rest.extend_from_slice(&chunk[..read]),
            }
        }
    }
}

/// Returns the log index that is part of an event's id.
pub fn index_of(id: &str) -> u64 {
    let index = id.split_once(':').and_then(|(_, index)| index.parse().ok());
    index.expect("an id is a cluster and an index")
}
