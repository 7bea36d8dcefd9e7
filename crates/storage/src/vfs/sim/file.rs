//! An open file in the simulated file system.

use super::event::DiskChange;
use super::state::{IoFault, SimFs, SimFsState, os_error};
use crate::vfs::interface::{VfsFile, in_context};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::MutexGuard;

#[derive(Debug)]
pub(super) struct SimFile {
    pub(super) fs: SimFs,
    pub(super) inode: usize,
    pub(super) path: PathBuf,
}

impl SimFile {
    fn operate(&self, operation: &str) -> io::Result<MutexGuard<'_, SimFsState>> {
        self.fs.operate(operation, &self.path).map_err(|(_, e)| e)
    }

    fn put(&self, state: &mut SimFsState, offset: u64, data: &[u8]) -> io::Result<()> {
        if !state.has_room(self.inode, offset, data.len() as u64) {
            return Err(in_context("write", &self.path, &os_error(IoFault::Full)));
        }
        state.inodes[self.inode].data.write(offset, data);
        state.record(DiskChange::Write {
            inode: self.inode,
            offset,
            data: data.into(),
        });
        Ok(())
    }
}

impl VfsFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        let state = self.operate("read the length of")?;
        let inode = &state.inodes[self.inode];
        Ok(inode.data.len().max(inode.reserved))
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.operate("read")?;
        if state.inodes[self.inode].data.read(offset, out) {
            return Ok(());
        }
        let past = io::Error::from(ErrorKind::UnexpectedEof);
        Err(in_context("read", &self.path, &past))
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self.fs.operate("write", &self.path) {
            Ok(mut state) => self.put(&mut state, offset, data),
            Err((IoFault::Short, e)) => {
                let mut state = self.fs.state();
                self.put(&mut state, offset, &data[..data.len() / 2])?;
                let at = state.changes.as_ref().map_or(0, Vec::len);
                if let Some(struck) = &mut state.struck {
                    struck.at = at;
                }
                Err(e)
            }
            Err((_, e)) => Err(e),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.operate("set the length of")?;
        state.inodes[self.inode].data.set_len(len);
        state.record(DiskChange::SetLen {
            inode: self.inode,
            len,
        });
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut state = self.operate("allocate space for")?;
        if state.used() + len > state.capacity_bytes {
            return Err(in_context(
                "allocate space for",
                &self.path,
                &os_error(IoFault::Full),
            ));
        }
        state.inodes[self.inode].reserved = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.fs.operate("sync", &self.path) {
            Ok(mut state) => state.record(DiskChange::Sync { inode: self.inode }),
            Err((IoFault::Unsaid, _)) => {}
            Err((_, e)) => return Err(e),
        }
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }
}
