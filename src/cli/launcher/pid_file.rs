//! The pid file, whose lock shows whether the server is running.
//!
//! The server inherits the open file with its lock, and never closes the file. The kernel releases
//! the lock when the server ends, even if the server is killed. The pid in the file counts only
//! while the lock is held, so a stale pid does no harm.

use super::error::LauncherError;
use quorate::clock;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{Pid, test_kill_process};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Maximum time for which the lock may be held while the file names no running process. During this
/// time, another launcher may be checking the lock, or be about to write the pid.
const HANDOVER_TIME_LIMIT: Duration = Duration::from_secs(1);

/// Time between two checks of the lock.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Maximum number of bytes that are read, which is more than any pid has. The rest of a longer file
/// is ignored.
const PID_BYTES_MAX: u64 = 64;

/// Placeholder that reserves the space before the pid is known. The placeholder is as long as the
/// longest pid with its line end.
const RESERVED: &str = "           \n";

/// An open pid file.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: File,
}

/// The holder of the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// This process, which has just acquired the lock: no server is running.
    Us,
    /// The server with this pid.
    Server(Pid),
}

impl PidFile {
    /// Opens the file, creating it and its directories if needed.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub fn create(path: &Path) -> Result<Self, LauncherError> {
        let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
        parent
            .map_err(|error| match error.kind() {
                // A file exists where a directory of the path is needed.
                ErrorKind::AlreadyExists => Errno::NOTDIR.into(),
                _ => error,
            })
            .and_then(|()| open(path, true))
            .map_err(|error| LauncherError::file(path, error))
    }

    /// Opens the file if it exists.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub fn open(path: &Path) -> Result<Option<Self>, LauncherError> {
        match open(path, false) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LauncherError::file(path, error)),
        }
    }

    /// Acquires the lock, or returns its holder.
    ///
    /// # Errors
    /// Fails when the lock is held and the file does not name a process.
    pub fn holder(&mut self) -> Result<Holder, LauncherError> {
        let deadline = clock::now() + HANDOVER_TIME_LIMIT;
        loop {
            if self.try_lock()? {
                return Ok(Holder::Us);
            }
            let pid = self.read_pid();
            if let Ok(pid) = pid
                && is_alive(pid)
            {
                return Ok(Holder::Server(pid));
            }
            if clock::now() >= deadline {
                let pid = pid?.as_raw_pid();
                return Err(LauncherError::PidFile {
                    path: self.path.display().to_string(),
                    what: format!(
                        "is locked, but process {pid} does not exist: \
                         is it running in another container?"
                    ),
                });
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Acquires the lock unless another process holds it.
    ///
    /// # Errors
    /// Fails when the file system does not support locks.
    pub(super) fn try_lock(&self) -> Result<bool, LauncherError> {
        match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(LauncherError::file(&self.path, error.into())),
        }
    }

    /// Lets child processes inherit the file, and the lock with it.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub(super) fn bequeath(&self) -> Result<(), LauncherError> {
        fcntl_setfd(&self.file, FdFlags::empty())
            .map_err(|error| LauncherError::file(&self.path, error.into()))
    }

    /// Reserves the space for a pid, so that a later write does not fail on a full disk.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub(super) fn reserve(&mut self) -> Result<(), LauncherError> {
        self.replace(RESERVED)
    }

    /// Writes the pid of the process that holds the lock from now on.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub fn write_pid(&mut self, pid: u32) -> Result<(), LauncherError> {
        self.replace(&format!("{pid}\n"))
    }

    /// Empties the file.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub fn clear(&mut self) -> Result<(), LauncherError> {
        self.replace("")
    }

    /// Overwrites the content and then truncates the file, so that no reserved space is freed in
    /// between.
    fn replace(&mut self, text: &str) -> Result<(), LauncherError> {
        let mut replace = || -> io::Result<()> {
            self.file.rewind()?;
            self.file.write_all(text.as_bytes())?;
            self.file.set_len(text.len() as u64)
        };
        replace().map_err(|error| LauncherError::file(&self.path, error))
    }

    /// Returns the pid in the file, regardless of the lock.
    pub(super) fn recorded(&mut self) -> Option<u32> {
        let pid = self.read_pid().ok()?;
        u32::try_from(pid.as_raw_pid()).ok()
    }

    /// Returns the process that the file names. If the file names none, the error has the text of
    /// airlift's launcher.
    fn read_pid(&mut self) -> Result<Pid, LauncherError> {
        let path = self.path.display().to_string();
        let mut text = String::new();
        let read = self
            .file
            .rewind()
            .and_then(|()| (&self.file).take(PID_BYTES_MAX).read_to_string(&mut text));
        read.map_err(|error| LauncherError::file(&self.path, error))?;
        let line = text.lines().next().unwrap_or_default().trim();
        if line.is_empty() {
            return Err(LauncherError::PidFile {
                path,
                what: "is empty".to_owned(),
            });
        }
        let pid = line.parse::<i32>().map_err(|_| "contains garbage");
        // The sign is checked before `from_raw`, which panics on a negative number.
        let pid = pid.and_then(|pid| {
            Some(pid)
                .filter(|pid| *pid > 0)
                .ok_or("contains an invalid pid")
        });
        let pid = pid.and_then(|pid| Pid::from_raw(pid).ok_or("contains an invalid pid"));
        pid.map_err(|what| LauncherError::PidFile {
            path,
            what: format!("{what}: {line}"),
        })
    }
}

fn open(path: &Path, create: bool) -> io::Result<PidFile> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(create)
        .truncate(false)
        .mode(0o600)
        // Opening a FIFO or a device in place of the pid file must not block.
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("is not a regular file"));
    }
    Ok(PidFile {
        path: path.to_owned(),
        file,
    })
}

/// Returns whether the process exists. `PERM` means that the process exists, but belongs to another
/// user.
fn is_alive(pid: Pid) -> bool {
    matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process;

    fn us() -> Pid {
        Pid::from_raw(process::id() as i32).expect("not 0")
    }

    /// The lock decides whether a server is running, not the pid in the file. The lock is free
    /// again once its holder has ended.
    #[test]
    fn the_lock_decides() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("var/run/launcher.pid");
        assert!(PidFile::open(&path).expect("absence is no error").is_none());

        let mut server = PidFile::create(&path).expect("creates");
        assert_eq!(server.holder().expect("free"), Holder::Us);
        server.write_pid(process::id()).expect("writes");

        let mut launcher = PidFile::open(&path).expect("opens").expect("exists");
        assert_eq!(launcher.holder().expect("held"), Holder::Server(us()));
        drop(server);
        assert_eq!(launcher.holder().expect("free"), Holder::Us);
    }

    /// Only the owner of the pid file may read or write it.
    #[test]
    fn the_file_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("launcher.pid");
        PidFile::create(&path).expect("creates");
        assert_eq!(
            fs::metadata(&path).expect("exists").permissions().mode() & 0o777,
            0o600
        );
    }

    /// A locked file that names no process is an error with the text of airlift's launcher.
    #[test]
    fn a_wrong_file_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("launcher.pid");
        let mut server = PidFile::create(&path).expect("creates");
        assert!(server.try_lock().expect("free"));
        for (text, what) in [
            ("", "is empty"),
            ("x\n", "contains garbage: x"),
            ("-1\n", "contains an invalid pid: -1"),
        ] {
            server.replace(text).expect("writes");
            let error = PidFile::create(&path)
                .expect("opens")
                .holder()
                .expect_err("names no process");
            assert_eq!(
                error.to_string(),
                format!("Pid file '{}' {what}", path.display())
            );
        }
    }
}
