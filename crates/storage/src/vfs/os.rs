//! The file system of the operating system.

use super::interface::{FileLock, FsSpace, Vfs, VfsFile, in_context, parent_of};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file system of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFs;

#[derive(Debug)]
struct OsFile {
    file: File,
    path: PathBuf,
}

/// A lock that is released when the descriptor is closed, and so also when the process dies.
#[derive(Debug)]
struct OsLock {
    _file: File,
}

impl FileLock for OsLock {}

/// Maximum number of attempts to open a file while no file descriptor is free.
///
/// The attempts span ten seconds. A lack of descriptors is not a failure of the disk, because
/// client connections use descriptors and will end. If no descriptor is free after ten seconds, the
/// operation fails like an operation on a broken disk.
const DESCRIPTOR_TRIES: u32 = 500;
/// Time between two attempts to open a file.
const DESCRIPTOR_PAUSE: Duration = Duration::from_millis(20);

/// Calls `open`, and repeats the call while no file descriptor is free. Makes at most
/// [`DESCRIPTOR_TRIES`] calls.
fn once_there_is_one<T>(mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..DESCRIPTOR_TRIES {
        match open() {
            Err(e) if lacks_descriptor(&e) => std::thread::sleep(DESCRIPTOR_PAUSE),
            done => return done,
        }
    }
    open()
}

/// Returns whether this process (`EMFILE`) or the whole system (`ENFILE`) is out of file
/// descriptors.
fn lacks_descriptor(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(code, Some(Errno::MFILE | Errno::NFILE))
}

/// Size of the writes that fill a file with zeros on a file system that cannot allocate space.
const ZERO_STEP: usize = 64 * 1024;

impl OsFile {
    fn named<T>(&self, operation: &str, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|e| in_context(operation, &self.path, &e))
    }

    fn boxed(file: File, path: &Path) -> Box<dyn VfsFile> {
        Box::new(Self {
            file,
            path: path.to_path_buf(),
        })
    }
}

/// The permissions of a new data directory. Only its owner has access, because the data includes
/// the names and addresses of all nodes.
const OWNER_ONLY: u32 = 0o700;
/// The permissions of new directories above a data directory, before the process's umask is
/// applied. Other users may enter these directories to read the logs.
const USUAL: u32 = 0o777;

/// Creates a directory and any missing directories above it, and syncs their names.
fn create_dir(dir: &Path, mode: u32) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = parent_of(dir);
    if parent != dir {
        create_dir(&parent, USUAL)?;
    }
    match DirBuilder::new().mode(mode).create(dir) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(in_context("create", dir, &e)),
        _ => OsFs.sync_dir(&parent),
    }
}

impl Vfs for OsFs {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        create_dir(dir, OWNER_ONLY)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        match once_there_is_one(|| OpenOptions::new().read(true).write(true).open(path)) {
            Ok(file) => Ok(OsFile::boxed(file, path)),
            Err(e) => Err(in_context("open", path, &e)),
        }
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        match once_there_is_one(|| options.open(path)) {
            Ok(file) => Ok(OsFile::boxed(file, path)),
            Err(e) => Err(in_context("create", path, &e)),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to).map_err(|e| in_context("rename to", to, &e))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path).map_err(|e| in_context("remove", path, &e))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let read = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in once_there_is_one(|| fs::read_dir(dir))? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.sort();
            Ok(names)
        };
        read().map_err(|e| in_context("list", dir, &e))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        once_there_is_one(|| File::open(dir))
            .and_then(|d| d.sync_all())
            .map_err(|e| in_context("sync", dir, &e))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file =
            once_there_is_one(|| options.open(path)).map_err(|e| in_context("create", path, &e))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(OsLock { _file: file }))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(in_context("lock", path, &e)),
        }
    }

    fn allocated_bytes(&self, path: &Path) -> io::Result<u64> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(metadata.blocks().saturating_mul(512)),
            Err(e) => Err(in_context("read the size of", path, &e)),
        }
    }

    fn space(&self, dir: &Path) -> io::Result<FsSpace> {
        let stat = rustix::fs::statvfs(dir)
            .map_err(|e| in_context("read the free space of", dir, &e.into()))?;
        Ok(FsSpace {
            free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
        })
    }
}

impl VfsFile for OsFile {
    fn len(&self) -> io::Result<u64> {
        self.named("read the length of", self.file.metadata().map(|m| m.len()))
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.named("read", self.file.read_exact_at(out, offset))
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.named("write", self.file.write_all_at(data, offset))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.named("set the length of", self.file.set_len(len))
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        match fallocate(&self.file, FallocateFlags::empty(), 0, len) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                let zeros = [0_u8; ZERO_STEP];
                let mut at = 0;
                while at < len {
                    let step = (len - at).min(ZERO_STEP as u64);
                    self.write_at(at, &zeros[..step as usize])?;
                    at += step;
                }
                Ok(())
            }
            Err(e) => self.named("allocate space for", Err(e.into())),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.named("sync", self.file.sync_data())
    }

    fn sync_all(&self) -> io::Result<()> {
        self.named("sync", self.file.sync_all())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Only the owner may enter a new data directory. A new directory above it has the usual
    /// permissions.
    #[test]
    fn data_is_for_the_owner_alone() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let dir = root.path().join("data").join("raft");
        OsFs.create_dir_all(&dir).expect("it is created");
        let mode = |path: &Path| {
            let metadata = fs::metadata(path).expect("it exists");
            metadata.permissions().mode() & 0o777
        };
        assert_eq!(mode(&dir), OWNER_ONLY);
        let usual = root.path().join("usual");
        fs::create_dir(&usual).expect("it is created");
        assert_eq!(mode(&root.path().join("data")), mode(&usual));
    }

    /// An open that lacks a file descriptor is retried; any other failure is returned immediately.
    #[test]
    fn a_descriptor_is_waited_for() {
        let mut answers = [Errno::MFILE, Errno::NFILE]
            .map(io::Error::from)
            .into_iter();
        let opened = once_there_is_one(|| answers.next().map_or(Ok(7), Err));
        assert_eq!(opened.expect("it opens the third time"), 7);
        let mut tries = 0;
        let missing: io::Result<()> = once_there_is_one(|| {
            tries += 1;
            Err(Errno::NOENT.into())
        });
        assert_eq!(
            missing.expect_err("it is missing").kind(),
            io::ErrorKind::NotFound
        );
        assert_eq!(tries, 1);
    }
}
