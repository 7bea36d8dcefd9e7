//! The fail-stop, which records the first storage failure permanently. The process then ends with
//! exit code 17.
//!
//! The failure is reported through [`Store::failed`](crate::Store::failed). `raft::lifecycle` ends
//! with a `RaftError::Storage`, for which `server::exit_code_of` returns `exit_code::DISK_FAILED`.

use super::log_target;
use std::io;
use std::sync::Arc;
use tokio::sync::watch;

/// The record of the first storage failure.
///
/// Once a failure is recorded, nothing is written or acknowledged any more. The content of the
/// device is unknown after a failed fsync, so a retry would prove nothing.
#[derive(Debug, Clone)]
pub(crate) struct FailStop(watch::Sender<Option<Arc<io::Error>>>);

impl FailStop {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Returns the recorded failure as an error, if there is one.
    pub(crate) fn check(&self) -> io::Result<()> {
        match &*self.0.borrow() {
            None => Ok(()),
            Some(failure) => Err(io::Error::other(Arc::clone(failure))),
        }
    }

    /// Records a failure unless an earlier one is recorded. Returns the recorded failure.
    pub(crate) fn set(&self, failure: io::Error) -> io::Error {
        let failure = Arc::new(failure);
        self.0.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(Arc::clone(&failure));
                tracing::error!(
                    target: log_target::LATCH,
                    %failure, "storage failed; this process must stop"
                );
            }
            first
        });
        match self.check() {
            Err(first) => first,
            Ok(()) => io::Error::new(failure.kind(), failure),
        }
    }

    /// Records the error of a result, if it has one. The returned error is the failure that was
    /// recorded first.
    pub(crate) fn watch<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|e| self.set(e))
    }

    /// Returns a receiver of the first storage failure.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<Arc<io::Error>>> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, PoisonError};

    #[derive(Clone, Default)]
    struct LoggedLines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for LoggedLines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lines.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Only the first failure is logged. The line has the target that operators know, no matter
    /// which source file logs the failure.
    #[test]
    fn a_failure_is_logged_under_its_target() {
        let lines = LoggedLines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let fail_stop = FailStop::new();
            fail_stop.set(io::Error::other("it broke"));
            fail_stop.set(io::Error::other("it broke again"));
        });
        let lines = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(
            String::from_utf8_lossy(&lines),
            "ERROR quorate::raft::disk::latch: storage failed; this process must stop \
             failure=it broke\n"
        );
    }
}
