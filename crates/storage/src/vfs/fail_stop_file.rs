//! A file to which nothing is written after a storage failure.

use super::interface::VfsFile;
use crate::fail_stop::FailStop;
use quorate_planted::{Bug, is_planted};
use redb::StorageBackend;
use std::io;

/// A file of the [`super::Vfs`] that rejects every write and sync once any failure is recorded.
///
/// redb repairs its own file when the database is dropped, and does not know about failures of
/// other files. Rejected writes and syncs prevent this repair. A file of this type needs no lock of
/// its own, because the directory's lock file keeps other processes out.
#[derive(Debug)]
pub(crate) struct FailStopFile {
    file: Box<dyn VfsFile>,
    fail_stop: FailStop,
}

impl FailStopFile {
    pub(crate) fn new(file: Box<dyn VfsFile>, fail_stop: &FailStop) -> FailStopFile {
        FailStopFile {
            file,
            fail_stop: fail_stop.clone(),
        }
    }
}

impl StorageBackend for FailStopFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.fail_stop.check()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fail_stop.check()?;
        match self.file.sync_data() {
            Err(_) if is_planted(Bug::SyncRetried) => self.file.sync_data(),
            synced => synced,
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.fail_stop.check()?;
        match self.file.write_at(offset, data) {
            Err(_) if is_planted(Bug::WriteErrorIgnored) => Ok(()),
            written => written,
        }
    }
}
