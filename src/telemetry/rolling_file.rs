//! A log file that is rotated by size and by day. Rotated files are compressed, and later removed.

use super::destination::append;
use super::rotated_files::{Retention, file_name, keep_house, rotated};
use super::{console, timestamp};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::UNIX_EPOCH;

/// The current log file. Rotated files are next to it, named as in airlift:
/// `server.log-2026-11-24.0.log.gz`.
#[derive(Debug)]
pub struct RollingFile {
    path: PathBuf,
    file: File,
    /// Number of bytes written since the last rotation, or since the last attempt at one.
    bytes: u64,
    /// The day (UTC) of the lines in the file.
    day: u64,
    retention: Retention,
    /// The thread that compresses and removes rotated files. Compression takes seconds for a full
    /// file, which must not delay the thread that logs.
    housekeeper: Option<JoinHandle<()>>,
    /// Whether the last write failed. This is reported once, not for every line.
    failing: bool,
}

impl RollingFile {
    /// Opens the file for appending, creating the directories above it.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub fn open(path: &Path, retention: Retention, now_ms: u64) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let file = append(path)?;
        let metadata = file.metadata()?;
        let modified = metadata
            .modified()?
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let day = if metadata.len() == 0 {
            timestamp::day(now_ms)
        } else {
            timestamp::day(modified.as_millis() as u64)
        };
        let mut log = Self {
            path: path.to_owned(),
            file,
            bytes: metadata.len(),
            day,
            retention,
            housekeeper: None,
            failing: false,
        };
        log.keep_house(now_ms);
        Ok(log)
    }

    /// Appends a line, after a rotation if one is due. If the write fails, the line is lost, which
    /// is reported once on the console.
    pub fn write_line(&mut self, line: &[u8], now_ms: u64) {
        let full = self.bytes + line.len() as u64 > self.retention.file_bytes_max;
        // The comparison is `>` and not `!=`, because the line of a request from before midnight
        // may be written after the line of a later request.
        let yesterday = timestamp::day(now_ms) > self.day;
        let mut result = Ok(());
        if self.bytes > 0 && (full || yesterday) {
            result = self.rotate(now_ms);
        }
        let result = result.and(self.file.write_all(line));
        self.bytes += line.len() as u64;
        match result {
            Ok(()) => self.failing = false,
            Err(error) if !self.failing => {
                self.failing = true;
                let path = self.path.display();
                console::say(&format!("{path}: cannot be written: {error}"));
            }
            Err(_) => {}
        }
    }

    /// Appends whole lines, as repeated calls of [`RollingFile::write_line`] would, in as few
    /// writes as the file's limit allows.
    pub fn write_lines(&mut self, mut lines: &[u8], now_ms: u64) {
        while !lines.is_empty() {
            let (fitting, rest) = lines.split_at(self.fitting_bytes(lines));
            self.write_line(fitting, now_ms);
            lines = rest;
        }
    }

    /// Returns the number of bytes of whole lines that fit into the current file. If not even the
    /// first line fits, returns the number of bytes that fit into the next file. The result covers
    /// at least one line.
    fn fitting_bytes(&self, lines: &[u8]) -> usize {
        let end_of_first = lines.iter().position(|byte| *byte == b'\n');
        let first_bytes = end_of_first.map_or(lines.len(), |end| end + 1);
        let max = self.retention.file_bytes_max;
        let left = match max.saturating_sub(self.bytes) {
            left if left < first_bytes as u64 => max,
            left => left,
        };
        let left = usize::try_from(left).unwrap_or(usize::MAX).min(lines.len());
        let end_of_last = lines[..left].iter().rposition(|byte| *byte == b'\n');
        end_of_last.map_or(first_bytes, |end| end + 1)
    }

    /// Rotates the file: renames it and opens a new one.
    fn rotate(&mut self, now_ms: u64) -> io::Result<()> {
        let date = timestamp::date(self.day * 86_400_000);
        // Reset both values even if the rotation fails, so that the next attempt is made after
        // another `file_bytes_max` bytes and not at the next line.
        self.bytes = 0;
        self.day = timestamp::day(now_ms);
        if !leads_to(&self.path, &self.file)? {
            self.file = append(&self.path)?;
            self.bytes = self.file.metadata()?.len();
            return Ok(());
        }
        let next = rotated(&self.path)?
            .iter()
            .filter(|file| file.date == date)
            .map(|file| file.number + 1)
            .max();
        let number = next.unwrap_or(0);
        fs::rename(
            &self.path,
            self.path
                .with_file_name(format!("{}-{date}.{number}.log", file_name(&self.path))),
        )?;
        self.file = append(&self.path)?;
        self.keep_house(now_ms);
        Ok(())
    }

    /// Compresses and removes rotated files in a separate thread. Only one such thread runs at a
    /// time. Files that this thread does not handle are handled at the next rotation.
    fn keep_house(&mut self, now_ms: u64) {
        if self
            .housekeeper
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
        {
            return;
        }
        let (path, retention) = (self.path.clone(), self.retention.clone());
        let work = move || {
            if let Err(error) = keep_house(&path, &retention, now_ms) {
                tracing::warn!(
                    "{}: rotated files cannot be compressed or removed: {error}",
                    path.display()
                );
            }
        };
        self.housekeeper = thread::Builder::new()
            .name("log-rotation".to_owned())
            .spawn(work)
            .ok();
    }
}

/// Returns whether the path still names the open file, which another program may have replaced.
fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    const NOON: u64 = 1_709_208_000_000; // 2024-02-29T12:00:00Z
    const DAY_MS: u64 = 86_400_000;

    fn retention(file: u64, total: u64, days: Option<u64>, compress: bool) -> Retention {
        Retention {
            file_bytes_max: file,
            total_bytes_max: total,
            days_max: days,
            compress,
        }
    }

    /// Opens a log at `NOON`, regardless of the file's real time.
    fn open(dir: &Path, retention: Retention) -> RollingFile {
        RollingFile::open(&dir.join("a.log"), retention, NOON).expect("opens")
    }

    fn idle(log: &mut RollingFile) {
        log.housekeeper
            .take()
            .expect("started")
            .join()
            .expect("did not panic");
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .expect("readable")
            .map(|e| e.expect("entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        names
    }

    /// A full file is rotated before the line that does not fit, so no line is split or lost. This
    /// holds however many lines are written at a time.
    #[test]
    fn rotates_by_size() {
        let lines = ["aaaa\n", "bbbb\n", "cccc\n", "dddddddddddddddd\n", "e\n"];
        for at_once in [1, 2, 3, 5] {
            let dir = tempfile::tempdir().expect("a directory");
            let mut log = open(dir.path(), retention(10, 1_000, None, false));
            for some in lines.chunks(at_once) {
                log.write_lines(some.concat().as_bytes(), NOON);
            }
            idle(&mut log);
            assert_eq!(
                names(dir.path()),
                [
                    "a.log",
                    "a.log-2024-02-29.0.log",
                    "a.log-2024-02-29.1.log",
                    "a.log-2024-02-29.2.log"
                ],
                "{at_once} at once"
            );
            let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect("there");
            assert_eq!(read("a.log-2024-02-29.0.log"), "aaaa\nbbbb\n");
            assert_eq!(read("a.log-2024-02-29.1.log"), "cccc\n");
            assert_eq!(read("a.log-2024-02-29.2.log"), "dddddddddddddddd\n");
            assert_eq!(read("a.log"), "e\n");
        }
    }

    /// A file that another program put in the log's place is not renamed. If it is a regular file,
    /// the lines are appended to it. Anything else, such as a link, is left alone.
    #[test]
    fn what_is_not_ours_is_not_rotated() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.log");
        let mut log = open(dir.path(), retention(10, 1_000, None, false));
        idle(&mut log);
        log.write_line(b"12345678\n", NOON);
        fs::rename(&path, dir.path().join("moved")).expect("renames");
        fs::write(&path, "new\n").expect("writes");
        log.write_line(b"next\n", NOON);
        assert_eq!(names(dir.path()), ["a.log", "moved"]);
        assert_eq!(fs::read_to_string(&path).expect("there"), "new\nnext\n");
        fs::remove_file(&path).expect("removes");
        std::os::unix::fs::symlink("/nowhere/else", &path).expect("links");
        log.write_line(b"lost in a link\n", NOON);
        assert!(path.is_symlink());
        assert_eq!(names(dir.path()), ["a.log", "moved"]);
    }

    /// A link to a file stays a link. The target file is rotated in its own directory.
    #[test]
    fn links_stay() {
        let dir = tempfile::tempdir().expect("a directory");
        let (real, link) = (dir.path().join("real"), dir.path().join("link.log"));
        fs::create_dir(&real).expect("creates");
        std::os::unix::fs::symlink(real.join("a.log"), &link).expect("links");
        let retention = retention(10, 1_000, None, false);
        let mut log = super::super::log_file::LogFile::open(&link, retention, NOON).expect("opens");
        log.write_lines(b"12345678\n12345678\n", NOON);
        assert!(link.is_symlink());
        assert_eq!(names(&real), ["a.log", "a.log-2024-02-29.0.log"]);
        assert_eq!(names(dir.path()), ["link.log", "real"]);
    }

    /// Rotated files are compressed without loss, and their numbers continue after a restart.
    #[test]
    fn compresses() {
        let dir = tempfile::tempdir().expect("a directory");
        for _ in 0..2 {
            let mut log = open(dir.path(), retention(10, 1_000, None, true));
            idle(&mut log);
            log.day = timestamp::day(NOON);
            log.write_line(b"aaaaaaaa\n", NOON);
            if log.housekeeper.is_some() {
                idle(&mut log);
            }
            log.write_line(b"bbbbbbbb\n", NOON);
            idle(&mut log);
        }
        assert_eq!(
            names(dir.path()),
            [
                "a.log",
                "a.log-2024-02-29.0.log.gz",
                "a.log-2024-02-29.1.log.gz",
                "a.log-2024-02-29.2.log.gz"
            ]
        );
        let mut text = String::new();
        let file = File::open(dir.path().join("a.log-2024-02-29.0.log.gz")).expect("there");
        flate2::read::GzDecoder::new(file)
            .read_to_string(&mut text)
            .expect("gzip");
        assert_eq!(text, "aaaaaaaa\n");
    }

    /// Yesterday's file is rotated at the first line of today, and files beyond the maximum number
    /// of days are removed.
    #[test]
    fn rotates_by_day_and_forgets() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = open(dir.path(), retention(1_000, 1_000, Some(2), false));
        idle(&mut log);
        for day in 0..5 {
            log.write_line(b"x\n", NOON + day * DAY_MS);
            if log.housekeeper.is_some() {
                idle(&mut log);
            }
        }
        assert_eq!(
            names(dir.path()),
            ["a.log", "a.log-2024-03-02.0.log", "a.log-2024-03-03.0.log"]
                .map(str::to_owned)
                .as_slice()
        );
    }

    /// A line of yesterday that is written after a line of today goes to the same file, so midnight
    /// causes only one rotation.
    #[test]
    fn late_lines_do_not_rotate() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = open(dir.path(), retention(1_000, 1_000, None, false));
        idle(&mut log);
        for time in [NOON, NOON + DAY_MS, NOON, NOON + DAY_MS] {
            log.write_line(b"x\n", time);
        }
        idle(&mut log);
        assert_eq!(names(dir.path()), ["a.log", "a.log-2024-02-29.0.log"]);
    }

    /// The rotated files never exceed the limit of their total size. The oldest are removed first,
    /// and other files stay.
    #[test]
    fn total_is_limited() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("a.log-notes.txt"), "mine").expect("writable");
        let mut log = open(dir.path(), retention(10, 25, None, false));
        idle(&mut log);
        for _ in 0..6 {
            log.write_line(b"12345678\n", NOON);
            if log.housekeeper.is_some() {
                idle(&mut log);
            }
        }
        assert_eq!(
            names(dir.path()),
            [
                "a.log",
                "a.log-2024-02-29.3.log",
                "a.log-2024-02-29.4.log",
                "a.log-notes.txt"
            ]
        );
    }
}
