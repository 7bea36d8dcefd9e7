//! What redb sees of a file.

use super::vfs::VfsFile;
use redb::StorageBackend;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A file of the [`super::Vfs`] as redb's storage. The directory's own lock keeps others out.
#[derive(Debug)]
pub(super) struct Backend {
    file: Box<dyn VfsFile>,
    /// The file's length, for those who have no handle on it.
    len: Arc<AtomicU64>,
}

impl Backend {
    pub(super) fn new(file: Box<dyn VfsFile>) -> io::Result<Self> {
        let len = Arc::new(AtomicU64::new(file.len()?));
        Ok(Self { file, len })
    }

    pub(super) fn len_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.len)
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.len.store(len, Ordering::Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, data)
    }
}
