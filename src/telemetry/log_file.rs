//! An open log: a rolling file or a stream, depending on where its path leads.

use super::console;
use super::destination::Destination;
use super::rolling_file::RollingFile;
use super::rotated_files::Retention;
use super::stream::DeviceStream;
use std::io;
use std::path::Path;

/// An open log. Only a regular file is rotated, renamed, compressed and removed.
#[derive(Debug)]
pub enum LogFile {
    /// A regular file.
    Rolling(RollingFile),
    /// Any other destination.
    Stream(DeviceStream),
}

impl LogFile {
    /// Opens the destination of the path.
    ///
    /// # Errors
    /// Fails with the operating system's error, and for a directory or a block device.
    pub fn open(path: &Path, retention: Retention, now_ms: u64) -> io::Result<LogFile> {
        match Destination::of(path)? {
            Destination::File(path) => {
                RollingFile::open(&path, retention, now_ms).map(LogFile::Rolling)
            }
            other => DeviceStream::open(path.to_owned(), other, console::say).map(LogFile::Stream),
        }
    }

    /// Appends whole lines. If the write fails, the lines are lost, which is reported once on the
    /// console.
    pub fn write_lines(&mut self, lines: &[u8], now_ms: u64) {
        match self {
            LogFile::Rolling(file) => file.write_lines(lines, now_ms),
            LogFile::Stream(stream) => stream.write_lines(lines),
        }
    }
}
