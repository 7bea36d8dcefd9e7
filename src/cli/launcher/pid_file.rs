//! The pid file, whose lock says whether the server runs.
//!
//! The lock belongs to the open file, which the server inherits and keeps open for its life: when the server is gone, however it
//! ended, the lock is gone. So what the file says counts only while the lock is held, and a stale pid deceives nobody.

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

/// How long a held lock may be without a running process in the file: another launcher is looking, or about to write.
const HANDOVER_TIME_LIMIT: Duration = Duration::from_secs(1);

/// Between two looks at the lock.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Longer than any number: the rest of a wrong file is not read.
const PID_BYTES_MAX: u64 = 64;

/// As long as the longest pid with its line end: what is reserved before there is a pid.
const RESERVED: &str = "           \n";

/// An open pid file.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: File,
}

/// Who holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// This process, now: nothing else runs.
    Us,
    /// The server.
    Server(Pid),
}

impl PidFile {
    /// Opens the file, making it and its directories.
    ///
    /// # Errors
    /// The operating system's.
    pub fn create(path: &Path) -> Result<Self, LauncherError> {
        let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
        parent
            .map_err(|error| match error.kind() {
                // A file is there: it is the directory that is missing.
                ErrorKind::AlreadyExists => Errno::NOTDIR.into(),
                _ => error,
            })
            .and_then(|()| open(path, true))
            .map_err(|error| LauncherError::file(path, error))
    }

    /// Opens the file if there is one.
    ///
    /// # Errors
    /// The operating system's.
    pub fn open(path: &Path) -> Result<Option<Self>, LauncherError> {
        match open(path, false) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LauncherError::file(path, error)),
        }
    }

    /// Takes the lock, or says who has it.
    ///
    /// # Errors
    /// When the lock is held and the file does not name a process.
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
                        "is locked, but its process {pid} is not to be found: does it run in another container?"
                    ),
                });
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Takes the lock unless another process has it.
    ///
    /// # Errors
    /// When the file system has no locks.
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
    /// The operating system's.
    pub(super) fn bequeath(&self) -> Result<(), LauncherError> {
        fcntl_setfd(&self.file, FdFlags::empty())
            .map_err(|error| LauncherError::file(&self.path, error.into()))
    }

    /// Takes the room that a pid needs, so that writing one later does not fail on a full disk.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn reserve(&mut self) -> Result<(), LauncherError> {
        self.replace(RESERVED)
    }

    /// Writes who holds the lock from now on.
    ///
    /// # Errors
    /// The operating system's.
    pub fn write_pid(&mut self, pid: u32) -> Result<(), LauncherError> {
        self.replace(&format!("{pid}\n"))
    }

    /// Empties the file.
    ///
    /// # Errors
    /// The operating system's.
    pub fn clear(&mut self) -> Result<(), LauncherError> {
        self.replace("")
    }

    /// Writes over what is there and cuts the rest off, so that no room is given up in between.
    fn replace(&mut self, text: &str) -> Result<(), LauncherError> {
        let mut replace = || -> io::Result<()> {
            self.file.rewind()?;
            self.file.write_all(text.as_bytes())?;
            self.file.set_len(text.len() as u64)
        };
        replace().map_err(|error| LauncherError::file(&self.path, error))
    }

    /// The pid in the file, whoever holds the lock.
    pub(super) fn recorded(&mut self) -> Option<u32> {
        let pid = self.read_pid().ok()?;
        u32::try_from(pid.as_raw_pid()).ok()
    }

    /// The process that the file names, with the words of airlift's launcher when it names none.
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
        // Positive before `from_raw`, which panics on a negative one.
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
        // A FIFO or a device in its place must not be waited for.
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

/// Whether there is such a process. One of another user is there too, though it may not be signalled.
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

    /// The lock decides, not the pid in the file: it is free again as soon as its holder is gone.
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

    /// Only its owner may read or write the file.
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

    /// A locked file that names no process is an error that says so, in the words of airlift's launcher.
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
