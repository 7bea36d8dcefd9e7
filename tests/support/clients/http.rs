//! A small HTTP/1.1 client on a blocking socket. Each request has its own connection and a time
//! limit. The client is independent of the product. Unlike client libraries, it never repeats a
//! request.

use quorate::clock;
use socket2::{Domain, Socket, Type};
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// The response to a request.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// The headers by lower-case name. If a header is repeated, its last value.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// A request that was sent and has not been answered yet.
pub struct Pending {
    stream: TcpStream,
    limit: Duration,
}

/// Sends a request and returns its response.
pub fn request(
    to: SocketAddr,
    method: &str,
    path: &str,
    body: Option<&str>,
    limit: Duration,
) -> Result<Response, Error> {
    send(to, method, path, body, limit)?.answer()
}

/// Sends a request, without waiting for its answer. Sending succeeds even if the process at the
/// other end is stopped, because the kernel accepts the connection.
pub fn send(
    to: SocketAddr,
    method: &str,
    path: &str,
    body: Option<&str>,
    limit: Duration,
) -> Result<Pending, Error> {
    send_with(to, method, path, "", body, limit)
}

/// Sends a request like [`send`], with additional header lines. Each line includes its line end.
pub fn send_with(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: Option<&str>,
    limit: Duration,
) -> Result<Pending, Error> {
    let stream = TcpStream::connect_timeout(&to, limit)?;
    send_on(stream, to, method, path, headers, body, limit)
}

/// Sends a request like [`send_with`], from another address of this machine.
pub fn send_from(
    source: Ipv4Addr,
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: Option<&str>,
    limit: Duration,
) -> Result<Pending, Error> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect_timeout(&to.into(), limit)?;
    send_on(socket.into(), to, method, path, headers, body, limit)
}

fn send_on(
    mut stream: TcpStream,
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: Option<&str>,
    limit: Duration,
) -> Result<Pending, Error> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(limit))?;
    let content = match body {
        Some(text) => format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            text.len()
        ),
        None => String::new(),
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n{headers}{content}\r\n"
    );
    stream.write_all((head + body.unwrap_or("")).as_bytes())?;
    Ok(Pending { stream, limit })
}

impl Pending {
    /// Returns whether no byte of an answer has arrived yet.
    pub fn is_silent(&self) -> bool {
        self.stream.set_nonblocking(true).expect("a socket");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("a socket");
        peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Waits for the answer, at most until the request's time limit.
    pub fn answer(mut self) -> Result<Response, Error> {
        let deadline = clock::now() + self.limit;
        let mut bytes = Vec::new();
        let mut chunk = [0u8; 16 * 1024];
        loop {
            let left = deadline.saturating_duration_since(clock::now());
            if left.is_zero() {
                return Err(Error::new(ErrorKind::TimedOut, "no whole answer in time"));
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut chunk)? {
                0 => break,
                read => bytes.extend_from_slice(&chunk[..read]),
            }
        }
        parse(&bytes).ok_or_else(|| Error::new(ErrorKind::InvalidData, "the answer is cut short"))
    }
}

fn parse(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let raw = &bytes[end + 4..];
    let body = if headers
        .get("transfer-encoding")
        .is_some_and(|coding| coding == "chunked")
    {
        unchunk(raw)?
    } else if let Some(length) = headers.get("content-length") {
        raw.get(..length.parse().ok()?)?.to_vec()
    } else {
        raw.to_vec()
    };
    Some(Response {
        status,
        headers,
        body: String::from_utf8(body).ok()?,
    })
}

fn unchunk(mut raw: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = raw.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&raw[..end]).ok()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(raw.get(end + 2..end + 2 + size)?);
        raw = raw.get(end + 4 + size..)?;
    }
}
