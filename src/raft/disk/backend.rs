//! What redb sees of a file.

use super::vfs::VfsFile;
use crate::planted::{Bug, is_planted};
use redb::StorageBackend;
use std::io;

/// A file of the [`super::Vfs`] as redb's storage. The directory's own lock keeps others out.
#[derive(Debug)]
pub(super) struct Backend(pub(super) Box<dyn VfsFile>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.0.sync_data() {
            Err(_) if is_planted(Bug::SyncRetried) => self.0.sync_data(),
            synced => synced,
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self.0.write_at(offset, data) {
            Err(_) if is_planted(Bug::WriteErrorIgnored) => Ok(()),
            written => written,
        }
    }
}
