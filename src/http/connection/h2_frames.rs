//! Tracking of the responses in progress on an HTTP/2 connection, by parsing the connection's
//! frames.
//!
//! A response is in progress from its HEADERS frame to the frame that ends its stream. hyper does
//! not report which responses wait for the flow-control window. Bytes on the socket do not show
//! progress of a response, because they may belong to a PING.

use crate::clock::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::io::IoSlice;
use std::time::Duration;

/// Time after which a client that takes next to nothing of its response is cut off. The documented
/// limit is 30 s, and the remaining 5 s are for a busy node.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(25);

/// Minimum progress of a reader within [`STALL_TIMEOUT`] while data is available: 330 bytes per
/// second.
pub(super) const PROGRESS_BYTES: usize = 8 << 10;

/// Length of a frame header (RFC 9113, 4.1).
const HEAD_BYTES: usize = 9;

/// Length of the client's connection preface, which precedes its first frame.
const PREFACE_BYTES: usize = 24;

/// Frame types (RFC 9113, 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
/// Flag of the last frame of a stream.
const END_STREAM: u8 = 1;

/// Minimum progress of the reader of an event stream within [`STALL_TIMEOUT`]. The heartbeats
/// within that time, one every 3 s, are together larger than this minimum. A reader that takes less
/// therefore takes nothing at all.
const ALIVE_BYTES: usize = 64;

/// Maximum number of remembered streams that the client has reset. A frame that was on its way to
/// the socket at the reset may still be written, and must not count as a response in progress.
const RESET_MAX: usize = 256;

/// The responses in progress on a connection.
pub(super) struct FrameTracker {
    written: FrameParser,
    read: FrameParser,
    under_way: BTreeMap<u32, WriteProgress>,
    reset: VecDeque<u32>,
}

/// The progress of one response's reader.
struct WriteProgress {
    since: Instant,
    bytes_since: usize,
    /// Whether the reader took less than [`PROGRESS_BYTES`] in the last [`STALL_TIMEOUT`], which
    /// only the reader of an event stream may do.
    is_slow: bool,
}

impl FrameTracker {
    pub(super) fn new() -> FrameTracker {
        FrameTracker {
            written: FrameParser::after(0),
            read: FrameParser::after(PREFACE_BYTES),
            under_way: BTreeMap::new(),
            reset: VecDeque::new(),
        }
    }

    /// Whether a response is in progress.
    pub(super) fn are_owed(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Records that the first `bytes` of `slices` were written.
    pub(super) fn wrote(&mut self, slices: &[IoSlice<'_>], mut bytes: usize, at: Instant) {
        for slice in slices {
            let part = &slice[..bytes.min(slice.len())];
            bytes -= part.len();
            let FrameTracker {
                written,
                under_way,
                reset,
                ..
            } = self;
            written.pass(part, |head| match (head.kind, head.flags & END_STREAM) {
                (DATA | HEADERS, END_STREAM) | (RST_STREAM, _) => {
                    under_way.remove(&head.stream);
                }
                (HEADERS, _) if !reset.contains(&head.stream) => {
                    under_way.entry(head.stream).or_insert(WriteProgress {
                        since: at,
                        bytes_since: 0,
                        is_slow: false,
                    });
                }
                (DATA, _) => {
                    if let Some(taken) = under_way.get_mut(&head.stream) {
                        taken.add(head.length, at);
                    }
                }
                _ => {}
            });
        }
    }

    /// Records the bytes that were read.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        let FrameTracker {
            read,
            under_way,
            reset,
            ..
        } = self;
        read.pass(bytes, |head| {
            if head.kind == RST_STREAM {
                under_way.remove(&head.stream);
                if reset.len() == RESET_MAX {
                    reset.pop_front();
                }
                reset.push_back(head.stream);
            }
        });
    }

    /// Returns the time of the next check for stalled readers. Returns `at` if a reader is stalled
    /// now, and `None` if no response is in progress. `streams` is the number of responses that are
    /// event streams, whose readers may be slow.
    pub(super) fn stalled_at(&mut self, streams: usize, at: Instant) -> Option<Instant> {
        let mut slow = 0;
        for taken in self.under_way.values_mut() {
            if at >= taken.since + STALL_TIMEOUT {
                if taken.bytes_since < ALIVE_BYTES {
                    return Some(at);
                }
                taken.is_slow = true;
                taken.since = at;
                taken.bytes_since = 0;
            }
            slow += usize::from(taken.is_slow);
        }
        if slow > streams {
            return Some(at);
        }
        let since = self.under_way.values().map(|taken| taken.since).min()?;
        Some(since + STALL_TIMEOUT)
    }
}

impl WriteProgress {
    fn add(&mut self, bytes: usize, at: Instant) {
        self.bytes_since += bytes;
        if self.bytes_since >= PROGRESS_BYTES {
            self.since = at;
            self.bytes_since = 0;
            self.is_slow = false;
        }
    }
}

/// The header of a frame.
struct FrameHead {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

/// A parser for the frame headers in bytes that arrive in pieces of any size.
struct FrameParser {
    /// Number of bytes before the next frame header.
    skip: usize,
    head: [u8; HEAD_BYTES],
    filled: usize,
}

impl FrameParser {
    fn after(skip: usize) -> FrameParser {
        FrameParser {
            skip,
            head: [0; HEAD_BYTES],
            filled: 0,
        }
    }

    /// Parses the next bytes, and calls `see` for each complete frame header.
    fn pass(&mut self, mut bytes: &[u8], mut see: impl FnMut(FrameHead)) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let part = bytes.len().min(HEAD_BYTES - self.filled);
            self.head[self.filled..self.filled + part].copy_from_slice(&bytes[..part]);
            self.filled += part;
            bytes = &bytes[part..];
            if self.filled == HEAD_BYTES {
                let [a, b, c, kind, flags, id @ ..] = self.head;
                let length = u32::from_be_bytes([0, a, b, c]) as usize;
                self.filled = 0;
                self.skip = length;
                see(FrameHead {
                    length,
                    kind,
                    flags,
                    stream: u32::from_be_bytes(id) & (u32::MAX >> 1),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;
    use std::time::Duration;

    fn frame(kind: u8, flags: u8, stream: u32, length: usize) -> Vec<u8> {
        let [_, a, b, c] = (length as u32).to_be_bytes();
        let mut frame = vec![a, b, c, kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.resize(frame.len() + length, 0);
        frame
    }

    fn write(frames: &mut FrameTracker, bytes: &[u8], at: Instant) {
        frames.wrote(&[IoSlice::new(bytes)], bytes.len(), at);
    }

    /// A response is in progress from its headers to its end or its reset, however its frames are
    /// split.
    #[test]
    fn an_answer_is_owed_until_its_end() {
        let at = now();
        let mut frames = FrameTracker::new();
        let all = [
            frame(4, 0, 0, 6),
            frame(HEADERS, 4, 1, 20),
            frame(DATA, 0, 1, 100),
            frame(HEADERS, 4 | END_STREAM, 3, 20),
            frame(DATA, END_STREAM, 1, 0),
        ]
        .concat();
        for (nth, byte) in all.iter().enumerate() {
            let headers_end = 15 + HEAD_BYTES;
            write(&mut frames, &[*byte], at);
            let is_owed = nth + 1 >= headers_end && nth + 1 < all.len();
            assert_eq!(frames.are_owed(), is_owed, "byte {nth}");
        }
        write(&mut frames, &frame(HEADERS, 4, 5, 20), at);
        let mut read = vec![b'P'; PREFACE_BYTES];
        read.extend(frame(6, 0, 0, 8));
        read.extend(frame(RST_STREAM, 0, 5, 4));
        read.extend(frame(RST_STREAM, 0, 7, 4));
        frames.read(&read);
        assert!(!frames.are_owed(), "its reader wants it no more");
        write(&mut frames, &frame(HEADERS, 4, 7, 20), at);
        assert!(!frames.are_owed(), "it crossed with the reset");
        write(&mut frames, &frame(HEADERS, 4, 9, 20), at);
        write(&mut frames, &frame(RST_STREAM, 0, 9, 4), at);
        assert!(!frames.are_owed());
    }

    /// A reader that takes nothing is stalled. Only the readers of event streams may be slow. A
    /// connection with more slow readers than event streams counts as stalled.
    #[test]
    fn a_reader_that_takes_little_is_late() {
        let began = now();
        let late = began + STALL_TIMEOUT;
        let second = Duration::from_secs(1);
        let mut frames = FrameTracker::new();
        assert_eq!(frames.stalled_at(0, began), None);
        write(&mut frames, &frame(HEADERS, 4, 1, 0), began);
        assert_eq!(frames.stalled_at(1, began), Some(late));
        assert_eq!(frames.stalled_at(1, late), Some(late), "nothing was taken");
        write(&mut frames, &frame(DATA, 0, 1, ALIVE_BYTES), began + second);
        assert_eq!(frames.stalled_at(0, late), Some(late), "too little");
        assert_eq!(frames.stalled_at(1, late), Some(late + STALL_TIMEOUT));
        write(&mut frames, &frame(DATA, 0, 1, PROGRESS_BYTES), late);
        assert_eq!(
            frames.stalled_at(0, late + second),
            Some(late + STALL_TIMEOUT),
            "it caught up"
        );
    }
}
