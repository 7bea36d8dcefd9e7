//! The thread of the writer.

use super::group_commit::GroupCommitWriter;
use crate::fail_stop::FailStop;
use crate::vfs::FileLock;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

/// Starts the writer's thread. The lock of the directory is released when the thread ends.
///
/// # Errors
/// Returns the operating system's error when the thread cannot be started.
pub(crate) fn spawn(
    writer: GroupCommitWriter,
    lock: Box<dyn FileLock>,
    fail_stop: FailStop,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("log-writer".to_owned())
        .spawn(move || {
            // In a build that unwinds, a panic is recorded as a failure. Without the record, the
            // store would only seem to be slow.
            if catch_unwind(AssertUnwindSafe(|| writer.run())).is_err() {
                fail_stop.set(io::Error::other("the log writer panicked"));
            }
            drop(lock);
        })
}
