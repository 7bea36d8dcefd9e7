//! A file system that measures the syncs of a data directory.

use crate::clock;
use crate::metrics::DiskMetrics;
use crate::storage::{DATABASE, FileLock, FsSpace, JOURNAL, OsFs, Vfs, VfsFile};
use prometheus_client::metrics::histogram::Histogram;
use std::io;
use std::path::Path;

/// The file system of the operating system, with measured syncs.
#[derive(Debug)]
pub(super) struct MeasuredFs {
    pub(super) metrics: DiskMetrics,
}

/// A file whose syncs are measured.
#[derive(Debug)]
struct MeasuredFile {
    file: Box<dyn VfsFile>,
    sync_s: Histogram,
}

impl MeasuredFs {
    /// Measures the syncs of a file, if it is the write-ahead log or the database.
    fn measured(&self, path: &Path, file: Box<dyn VfsFile>) -> Box<dyn VfsFile> {
        let sync_s = match path.file_name().and_then(|name| name.to_str()) {
            Some(JOURNAL) => self.metrics.log_sync.clone(),
            Some(DATABASE) => self.metrics.database_sync.clone(),
            _ => return file,
        };
        Box::new(MeasuredFile { file, sync_s })
    }
}

impl Vfs for MeasuredFs {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        OsFs.create_dir_all(dir)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        Ok(self.measured(path, OsFs.open(path)?))
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        Ok(self.measured(path, OsFs.create_new(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsFs.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsFs.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        OsFs.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        OsFs.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        OsFs.lock(path)
    }

    fn allocated_bytes(&self, path: &Path) -> io::Result<u64> {
        OsFs.allocated_bytes(path)
    }

    fn space(&self, dir: &Path) -> io::Result<FsSpace> {
        OsFs.space(dir)
    }
}

impl MeasuredFile {
    fn sync(&self, sync: impl FnOnce(&dyn VfsFile) -> io::Result<()>) -> io::Result<()> {
        let began = clock::now();
        let synced = sync(&*self.file);
        self.sync_s.observe(began.elapsed().as_secs_f64());
        synced
    }
}

impl VfsFile for MeasuredFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, out)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, data)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.file.allocate(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync(VfsFile::sync_data)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync(VfsFile::sync_all)
    }
}
