//! An HTTP/2 client on a blocking socket that sends only the frames that a test asks for. The only
//! exception is the acknowledgement of the server's settings, which [`Http2::next`] sends.

use quorate::clock;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD_BYTES: usize = 9;

pub const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// The identifier of `SETTINGS_INITIAL_WINDOW_SIZE`.
const INITIAL_WINDOW_SIZE: u16 = 4;

/// A received frame.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// An open HTTP/2 connection.
pub struct Http2 {
    stream: TcpStream,
    next_stream: u32,
    /// Bytes that were read but are not yet a whole frame.
    rest: Vec<u8>,
}

impl Http2 {
    /// Connects. The server may send `window` bytes on each stream until the test opens the
    /// stream's window further.
    pub fn connect(to: SocketAddr, window: u32) -> Result<Http2, Error> {
        let mut stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.write_all(PREFACE)?;
        let mut client = Http2 {
            stream,
            next_stream: 1,
            rest: Vec::new(),
        };
        let [id, value] = [
            &INITIAL_WINDOW_SIZE.to_be_bytes()[..],
            &window.to_be_bytes(),
        ];
        client.send(SETTINGS, 0, 0, &[id, value].concat())?;
        Ok(client)
    }

    /// Requests a path on a new stream, and returns the stream's number.
    pub fn get(&mut self, path: &str) -> Result<u32, Error> {
        // The header block, in HPACK: GET and http are indexed, and path and authority are literals
        // without indexing.
        let mut block = vec![0x82, 0x86, 0x04, path.len() as u8];
        block.extend_from_slice(path.as_bytes());
        block.extend_from_slice(b"\x01\x04node");
        let stream = self.next_stream;
        self.next_stream += 2;
        self.send(HEADERS, END_STREAM | END_HEADERS, stream, &block)?;
        Ok(stream)
    }

    /// Sends a PING frame, without waiting for its acknowledgement.
    pub fn ping(&mut self) -> Result<(), Error> {
        self.send(PING, 0, 0, &[0; 8])
    }

    /// Lets the server send `bytes` more on a stream, or on the whole connection if `stream` is 0.
    pub fn open_window(&mut self, stream: u32, bytes: u32) -> Result<(), Error> {
        self.send(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Result<(), Error> {
        let length = (payload.len() as u32).to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame)
    }

    /// Returns the next frame, except for answers to this client's settings and pings. Acknowledges
    /// the server's settings.
    ///
    /// # Errors
    /// `TimedOut` when no frame arrives in time; other errors when the connection has ended.
    pub fn next(&mut self, limit: Duration) -> Result<Frame, Error> {
        let deadline = clock::now() + limit;
        loop {
            let frame = self.frame(deadline)?;
            match (frame.kind, frame.flags & ACK) {
                (SETTINGS, 0) => self.send(SETTINGS, ACK, 0, &[])?,
                (SETTINGS | PING, _) => {}
                _ => return Ok(frame),
            }
        }
    }

    fn frame(&mut self, deadline: clock::Instant) -> Result<Frame, Error> {
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some(frame) = self.take_frame() {
                return Ok(frame);
            }
            let left = deadline.saturating_duration_since(clock::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.rest.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(ErrorKind::TimedOut.into());
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn take_frame(&mut self) -> Option<Frame> {
        let head = self.rest.get(..HEAD_BYTES)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let payload = self.rest.get(HEAD_BYTES..HEAD_BYTES + length)?.to_vec();
        self.rest.drain(..HEAD_BYTES + length);
        Some(Frame {
            kind,
            flags,
            stream,
            payload,
        })
    }
}
