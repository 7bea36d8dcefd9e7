//! The destination of a log: a regular file, or something that is only written to.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Maximum number of symbolic links that are followed; the kernel's limit.
const LINKS_MAX: usize = 40;

/// The destination that a log's path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A regular file, or a path at which one is to be created. Symbolic links are resolved, so
    /// that a rotation renames the file and not the link.
    File(PathBuf),
    /// A file descriptor that this process was started with, such as `/dev/stdout`. If the
    /// descriptor leads to a file, the file is not rotated, since another program opened it.
    Descriptor(i32),
    /// A device or a FIFO.
    Device(PathBuf),
    /// A Unix socket.
    Socket(PathBuf),
}

impl Destination {
    /// Resolves a path to its destination, and creates the directories above the destination.
    ///
    /// # Errors
    /// Fails with the operating system's error, and for a directory or a block device.
    pub fn of(path: &Path) -> io::Result<Destination> {
        let mut path = std::path::absolute(path)?;
        for _ in 0..LINKS_MAX {
            let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(Errno::ISDIR.into());
            };
            fs::create_dir_all(dir).map_err(|error| match error.kind() {
                // A file exists where a directory is needed.
                ErrorKind::AlreadyExists => Errno::NOTDIR.into(),
                _ => error,
            })?;
            let dir = dir.canonicalize()?;
            path = dir.join(name);
            if let Some(found) = in_proc(&path) {
                return Ok(found);
            }
            let kind = match fs::symlink_metadata(&path) {
                Ok(metadata) => metadata.file_type(),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Ok(Destination::File(path));
                }
                Err(error) => return Err(error),
            };
            if kind.is_symlink() {
                path = dir.join(fs::read_link(&path)?);
                continue;
            }
            return match kind {
                kind if kind.is_file() => Ok(Destination::File(path)),
                kind if kind.is_dir() => Err(Errno::ISDIR.into()),
                kind if kind.is_socket() => Ok(Destination::Socket(path)),
                kind if kind.is_block_device() => Err(io::Error::other(
                    "is a block device, whose contents a log would overwrite",
                )),
                _ => Ok(Destination::Device(path)),
            };
        }
        Err(Errno::LOOP.into())
    }

    /// Opens the destination for the output of another process. A FIFO is opened for reading too,
    /// so that the other process is not blocked if no reader exists or the reader goes away.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub fn open_for_output(&self) -> io::Result<File> {
        match self {
            Destination::File(path) => append(path),
            Destination::Device(path) if fs::metadata(path)?.file_type().is_fifo() => {
                open(path, OFlags::RDWR | OFlags::NONBLOCK)
            }
            Destination::Device(path) => open(path, OFlags::WRONLY | OFlags::APPEND),
            Destination::Descriptor(number) => duplicate(*number).map(File::from),
            Destination::Socket(path) => connect(path).map(|(file, _)| file),
        }
    }
}

/// Returns the destination of a path below `/proc`. A link in `/proc` cannot be followed by reading
/// it, because its text need not be a path.
fn in_proc(path: &Path) -> Option<Destination> {
    let inside = path.strip_prefix("/proc").ok()?;
    let words: Vec<&str> = inside.iter().filter_map(|word| word.to_str()).collect();
    let own = getpid().as_raw_pid().to_string();
    let number = match words[..] {
        [pid, "fd", number] | [pid, "task", _, "fd", number] if pid == own => number.parse().ok(),
        _ => None,
    };
    Some(number.map_or_else(
        || Destination::Device(path.to_owned()),
        Destination::Descriptor,
    ))
}

/// Opens a regular file for appending, creating it if it does not exist.
///
/// # Errors
/// Fails with the operating system's error, and when the path is not a regular file.
pub(super) fn append(path: &Path) -> io::Result<File> {
    // Open the file without blocking, in case a FIFO has replaced it.
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NONBLOCK;
    let file = open(path, flags)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("is no longer a regular file")),
    }
}

/// Opens a device or a FIFO for writing, without waiting for a reader.
///
/// # Errors
/// Returns the operating system's error, also for a FIFO without a reader.
pub(super) fn open_device(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NONBLOCK;
    open(path, flags).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NXIO) => io::Error::other("it has no reader"),
        _ => error,
    })
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY;
    let mode = Mode::from_raw_mode(0o644);
    Ok(File::from(rustix::fs::open(path, flags, mode)?))
}

/// Duplicates a file descriptor of this process, because a socket cannot be opened by its path in
/// `/proc`.
///
/// # Errors
/// Returns the operating system's error.
pub(super) fn duplicate(number: i32) -> io::Result<OwnedFd> {
    match number {
        1 => io::stdout().as_fd().try_clone_to_owned(),
        2 => io::stderr().as_fd().try_clone_to_owned(),
        _ => {
            let this = pidfd_open(getpid(), PidfdFlags::empty())?;
            let flags = PidfdGetfdFlags::empty();
            Ok(pidfd_getfd(this, number, flags)?)
        }
    }
}

/// Connects to a Unix socket, without waiting for its listener. Tries a stream socket first, and a
/// datagram socket second. Returns the socket, and whether it is a datagram socket.
///
/// # Errors
/// Returns the operating system's error.
pub(super) fn connect(path: &Path) -> io::Result<(File, bool)> {
    let address = SockAddr::unix(path)?;
    let connect = |kind: Type| {
        let socket = Socket::new(Domain::UNIX, kind, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&address)?;
        Ok(File::from(OwnedFd::from(socket)))
    };
    match connect(Type::STREAM) {
        Ok(stream) => Ok((stream, false)),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::PROTOTYPE) => Ok((connect(Type::DGRAM)?, true)),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, mknodat};
    use std::os::unix::fs::symlink;

    fn fifo(path: &Path) {
        let mode = Mode::from_raw_mode(0o600);
        mknodat(CWD, path, FileType::Fifo, mode, 0).expect("makes a FIFO");
    }

    /// A path is resolved to its destination, through links. Only a regular file may be rotated.
    #[test]
    fn paths_are_what_they_lead_to() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path().canonicalize().expect("it is there");
        let at = |name: &str| dir.join(name);
        fs::write(at("file"), "x").expect("writes");
        fs::create_dir(at("dir")).expect("creates");
        fifo(&at("fifo"));
        let _listener = std::os::unix::net::UnixListener::bind(at("socket")).expect("a socket");
        for name in ["file", "fifo", "socket", "absent", "dir"] {
            symlink(at(name), at(&format!("to-{name}"))).expect("links");
        }
        symlink("to-fifo", at("to-to-fifo")).expect("links");
        symlink("loop", at("loop")).expect("links");
        symlink("/proc/self/fd/1", at("stdout")).expect("links");
        symlink("/dev/null", at("null")).expect("links");
        for (name, leads_to) in [
            ("file", Destination::File(at("file"))),
            ("to-file", Destination::File(at("file"))),
            ("absent", Destination::File(at("absent"))),
            ("to-absent", Destination::File(at("absent"))),
            ("new/dir/file", Destination::File(at("new/dir/file"))),
            ("fifo", Destination::Device(at("fifo"))),
            ("to-fifo", Destination::Device(at("fifo"))),
            ("to-to-fifo", Destination::Device(at("fifo"))),
            ("socket", Destination::Socket(at("socket"))),
            ("to-socket", Destination::Socket(at("socket"))),
            ("stdout", Destination::Descriptor(1)),
            ("null", Destination::Device(PathBuf::from("/dev/null"))),
            ("/dev/stdout", Destination::Descriptor(1)),
            ("/dev/stderr", Destination::Descriptor(2)),
            ("/dev/fd/7", Destination::Descriptor(7)),
            ("/proc/self/fd/1", Destination::Descriptor(1)),
            ("/proc/thread-self/fd/2", Destination::Descriptor(2)),
            (
                "/proc/1/fd/1",
                Destination::Device(PathBuf::from("/proc/1/fd/1")),
            ),
        ] {
            let found = Destination::of(&dir.join(name)).expect(name);
            assert_eq!(found, leads_to, "{name}");
        }
        for bad in ["dir", "to-dir", "loop", "file/x", "/"] {
            assert!(Destination::of(&dir.join(bad)).is_err(), "{bad}");
        }
        assert!(
            append(&at("fifo")).is_err(),
            "it must not wait for a reader"
        );
    }
}
