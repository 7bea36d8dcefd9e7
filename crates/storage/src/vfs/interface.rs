//! The operations that the store requires from a file system.

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

/// The free and the total space of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FsSpace {
    /// Bytes that this process may still write.
    pub free_bytes: u64,
    /// Total size in bytes.
    pub total_bytes: u64,
}

/// A lock on a file, held until the returned value is dropped.
pub trait FileLock: Debug + Send + Sync {}

/// A file system.
///
/// Every error names the operation and the path, and keeps the `ErrorKind` of its cause.
pub trait Vfs: Debug + Send + Sync + 'static {
    /// Creates a directory and its parents. They are durable on return.
    ///
    /// # Errors
    /// Returns the system's error, like every method of this trait.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// Returns `NotFound` if the file does not exist.
    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>>;
    /// Creates a file, which must not exist yet. It is durable only after `sync_dir`.
    ///
    /// # Errors
    /// Returns `AlreadyExists` if the file exists.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn VfsFile>>;
    /// Renames a file, atomically replacing an existing one. The change is durable only after
    /// `sync_dir`.
    ///
    /// # Errors
    /// Returns the system's error.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file. The removal is durable only after `sync_dir`.
    ///
    /// # Errors
    /// Returns `NotFound` if the file does not exist.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Returns the names in a directory, sorted.
    ///
    /// # Errors
    /// Returns the system's error.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes the entries of a directory durable (fsync).
    ///
    /// # Errors
    /// Returns the system's error.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Locks a file, creating it if necessary. Returns `None` when the lock is already held.
    ///
    /// # Errors
    /// Returns an error if the file cannot be created, or if locking fails for any reason except
    /// that the lock is held.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>>;
    /// Returns the space that a file takes on the device. It is less than the length of the file if
    /// parts were never written.
    ///
    /// # Errors
    /// Returns `NotFound` if the file does not exist.
    fn allocated_bytes(&self, path: &Path) -> io::Result<u64>;
    /// Returns the free and the total space of the file system that contains a directory.
    ///
    /// # Errors
    /// Returns the system's error.
    fn space(&self, dir: &Path) -> io::Result<FsSpace>;
}

/// An open file.
pub trait VfsFile: Debug + Send + Sync + 'static {
    /// Returns the length of the file in bytes.
    ///
    /// # Errors
    /// Returns the system's error, like every method of this trait.
    fn len(&self) -> io::Result<u64>;
    /// Returns whether the length of the file is 0.
    ///
    /// # Errors
    /// Same as [`VfsFile::len`].
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills `out` with the bytes from `offset`.
    ///
    /// # Errors
    /// Returns `UnexpectedEof` if the file ends before `out` is full.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
    /// Writes all of `data` at `offset`, extending the file if necessary.
    ///
    /// # Errors
    /// Returns `StorageFull` if there is no space. In this case part of the data may have been
    /// written.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;
    /// Truncates the file, or extends it with zeros.
    ///
    /// # Errors
    /// Returns the system's error.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Allocates space on the device for `len` bytes, and sets the length of the file to `len`.
    ///
    /// # Errors
    /// Returns `StorageFull` if there is no space.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// Makes the content and the length durable (fdatasync).
    ///
    /// # Errors
    /// A failed sync must never be retried, since the system may have discarded the data.
    fn sync_data(&self) -> io::Result<()>;
    /// Makes the content and all metadata durable (fsync).
    ///
    /// # Errors
    /// Same as `sync_data`.
    fn sync_all(&self) -> io::Result<()>;
}

/// Adds the operation and the path to an error, and keeps its kind.
pub(crate) fn in_context(operation: &str, path: &Path, source: &io::Error) -> io::Error {
    io::Error::new(
        source.kind(),
        format!("cannot {operation} {}: {source}", path.display()),
    )
}

/// Returns the directory that contains a path; for the root, the path itself.
pub(crate) fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_path_buf(),
        None => path.to_path_buf(),
    }
}
