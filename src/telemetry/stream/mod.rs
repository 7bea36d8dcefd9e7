//! A log that is only written to: a device, a FIFO, a socket, or the console.

use super::destination::{Destination, connect, duplicate, open_device};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

/// Maximum size of one write. A pipe that is ready for writing accepts this many bytes without
/// blocking.
const PIECE_BYTES_MAX: usize = 4096;

/// Maximum time to wait for a reader to make room. If the time passes, lines are lost until there
/// is room.
const WRITE_TIMEOUT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};
const NO_TIMEOUT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// A destination that is never rotated. Writing does not block for long, because lines that the
/// reader does not accept are lost and counted. The destination is opened again after the reader
/// has gone away.
#[derive(Debug)]
pub struct DeviceStream {
    /// The receiver of failure messages; `None` for the console, which has no other place to report
    /// its failures.
    report: Option<LossReport>,
    source: Destination,
    open: Option<File>,
    /// Whether each write is a separate message.
    is_datagram: bool,
    /// The rest of a line whose beginning the reader already has.
    unfinished: Vec<u8>,
    /// Whether the reader had no room at the last check.
    is_stalled: bool,
    lost_lines: u64,
}

/// The receiver of a stream's failure messages, and the stream's name in them.
#[derive(Debug)]
struct LossReport {
    name: String,
    say: fn(&str),
}

impl DeviceStream {
    /// Opens a destination whose failures are passed to `say`. If the destination has no reader or
    /// listener now, each later write tries again to open the destination.
    ///
    /// # Errors
    /// Returns the operating system's error when the destination can never be written to.
    pub fn open(path: PathBuf, source: Destination, say: fn(&str)) -> io::Result<DeviceStream> {
        let name = path.display().to_string();
        let mut stream = DeviceStream::new(Some(LossReport { name, say }), source);
        match stream.reopen() {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(error),
            Err(error) => stream.say(&format!("cannot be written: {error}; lines are lost")),
            Ok(()) => {}
        }
        Ok(stream)
    }

    /// Returns a stream to the standard error of this process.
    pub fn console() -> DeviceStream {
        let mut stream = DeviceStream::new(None, Destination::Descriptor(2));
        // A failure is ignored, because the first line tries again to open the stream.
        let _closed = stream.reopen();
        stream
    }

    fn new(report: Option<LossReport>, source: Destination) -> DeviceStream {
        DeviceStream {
            report,
            source,
            open: None,
            is_datagram: false,
            unfinished: Vec::new(),
            is_stalled: false,
            lost_lines: 0,
        }
    }

    /// Opens the destination.
    fn reopen(&mut self) -> io::Result<()> {
        let (file, is_datagram) = match &self.source {
            Destination::Descriptor(number) => (duplicate(*number)?.into(), false),
            Destination::Socket(path) => connect(path)?,
            Destination::File(path) | Destination::Device(path) => (open_device(path)?, false),
        };
        self.open = Some(file);
        self.is_datagram = is_datagram;
        self.unfinished.clear();
        Ok(())
    }

    /// Writes whole lines. Lines that the destination does not accept are lost, which is reported
    /// once.
    pub fn write_lines(&mut self, lines: &[u8]) {
        let (mut rest, mut failure) = (lines, None);
        while !rest.is_empty() && failure.is_none() {
            let (piece, after) = rest.split_at(self.piece_bytes(rest));
            match self.write_piece(piece) {
                Ok(()) => rest = after,
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) => {
                if self.lost_lines == 0 {
                    self.say(&format!("cannot be written: {error}; lines are lost"));
                }
                let lost = rest.iter().filter(|byte| **byte == b'\n').count() as u64;
                self.lost_lines = self.lost_lines.saturating_add(lost.max(1));
            }
            None if self.lost_lines > 0 => {
                let lost = std::mem::take(&mut self.lost_lines);
                self.say(&format!("can be written again; {lost} lines were lost"));
            }
            None => {}
        }
    }

    /// Returns the number of bytes of the next write: as many whole lines as fit, but at least one.
    fn piece_bytes(&self, lines: &[u8]) -> usize {
        let end_of_first = lines.iter().position(|byte| *byte == b'\n');
        let first = end_of_first.map_or(lines.len(), |end| end + 1);
        if self.is_datagram {
            return first;
        }
        let fitting = &lines[..lines.len().min(PIECE_BYTES_MAX)];
        let end_of_last = fitting.iter().rposition(|byte| *byte == b'\n');
        end_of_last.map_or(first, |end| end + 1)
    }

    /// Writes a piece, after the rest of an unfinished line.
    fn write_piece(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.open.is_none() {
            self.reopen()?;
        }
        let unfinished = std::mem::take(&mut self.unfinished);
        let written = self.write_some(&unfinished)?;
        if written < unfinished.len() {
            self.unfinished = unfinished[written..].to_vec();
            return Err(stalled());
        }
        let written = self.write_some(piece)?;
        match written {
            0 => Err(stalled()),
            written if written < piece.len() => {
                // The rest of the line is written before any other line.
                self.unfinished = piece[written..].to_vec();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Writes as many bytes as are accepted without a long wait, and returns their number.
    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            let Some(mut file) = self.open.as_ref() else {
                break;
            };
            let timeout = match self.is_stalled {
                true => NO_TIMEOUT,
                false => WRITE_TIMEOUT,
            };
            self.is_stalled = !is_writable(file, &timeout);
            if self.is_stalled {
                break;
            }
            let piece = match self.is_datagram {
                true => rest,
                false => &rest[..rest.len().min(PIECE_BYTES_MAX)],
            };
            match file.write(piece) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_stalled = true;
                    break;
                }
                Err(error) => {
                    self.open = None;
                    return Err(error);
                }
            }
        }
        Ok(written)
    }

    fn say(&self, what: &str) {
        if let Some(LossReport { name, say }) = &self.report {
            say(&format!("{name}: {what}"));
        }
    }
}

fn stalled() -> io::Error {
    io::Error::other("its reader does not read")
}

/// Returns whether a write would not block. An error counts as writable, because the write itself
/// returns the error.
fn is_writable(file: &File, timeout: &Timespec) -> bool {
    let mut asked = [PollFd::new(file, PollFlags::OUT)];
    match poll(&mut asked, Some(timeout)) {
        Ok(0) => false,
        Ok(_) | Err(_) => true,
    }
}

#[cfg(test)]
mod tests;
