//! What a file system must be able to do.

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

/// How full a file system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FsSpace {
    /// Bytes that this process may still write.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

/// A lock on a file, held until it is dropped.
pub trait Held: Debug + Send + Sync {}

/// A file system.
///
/// Every error names the operation and the path, and keeps its kind.
pub trait Vfs: Debug + Send + Sync + 'static {
    /// Makes a directory and those above it; durable on return.
    ///
    /// # Errors
    /// As the system reports them; so for every method here.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>>;
    /// Creates a file that must not exist. Durable only after `sync_dir`.
    ///
    /// # Errors
    /// `AlreadyExists` when there is one.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn VfsFile>>;
    /// Puts a file in the place of another, at once. Durable only after `sync_dir`.
    ///
    /// # Errors
    /// As the system reports them.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file. Durable only after `sync_dir`.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, sorted.
    ///
    /// # Errors
    /// As the system reports them.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes the entries of a directory durable.
    ///
    /// # Errors
    /// As the system reports them.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Locks a file, which it makes if need be. `None` when another holds the lock.
    ///
    /// # Errors
    /// When the file cannot be made or locked for another reason.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Held>>>;
    /// What a file takes on the device, which is less than its length where it was never written.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    fn allocated_bytes(&self, path: &Path) -> io::Result<u64>;
    /// How full the file system of a directory is.
    ///
    /// # Errors
    /// As the system reports them.
    fn space(&self, dir: &Path) -> io::Result<FsSpace>;
}

/// An open file.
pub trait VfsFile: Debug + Send + Sync + 'static {
    /// Its length in bytes.
    ///
    /// # Errors
    /// As the system reports them; so for every method here.
    fn len(&self) -> io::Result<u64>;
    /// Whether it holds nothing.
    ///
    /// # Errors
    /// As [`VfsFile::len`].
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills `out` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` past the end.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
    /// Writes all of `data` at `offset`, growing the file if need be.
    ///
    /// # Errors
    /// `StorageFull` without space; part of it may be written then.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;
    /// Cuts or grows (with zeros) the file.
    ///
    /// # Errors
    /// As the system reports them.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Takes space on the device for `len` bytes, and makes the file that long.
    ///
    /// # Errors
    /// `StorageFull` without space.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// Makes the content durable, and the length.
    ///
    /// # Errors
    /// A failed sync may have dropped what it should have kept: never try again.
    fn sync_data(&self) -> io::Result<()>;
    /// As `sync_data`, with all metadata.
    ///
    /// # Errors
    /// As `sync_data`.
    fn sync_all(&self) -> io::Result<()>;
}

/// Names the operation and the path in an error, and keeps its kind.
pub(crate) fn in_context(operation: &str, path: &Path, source: &io::Error) -> io::Error {
    io::Error::new(
        source.kind(),
        format!("cannot {operation} {}: {source}", path.display()),
    )
}

/// The directory that holds a path; the path itself at the root.
pub(crate) fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_path_buf(),
        None => path.to_path_buf(),
    }
}
