//! What the writer is asked to write, and who waits for it.

use super::identity::Identity;
use crate::storage::types::{LogId, TypeConfig, Vote};
use openraft::storage::IOFlushed;
use std::io;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// What a caller waits for.
pub(crate) type Done = oneshot::Sender<io::Result<()>>;

/// openraft's callback. Dropped without an answer, it reports a failure: none is ever lost.
pub(crate) struct Callback(Option<IOFlushed<TypeConfig>>);

impl Callback {
    pub(crate) fn new(callback: IOFlushed<TypeConfig>) -> Self {
        Self(Some(callback))
    }

    pub(crate) fn complete(mut self, result: io::Result<()>) {
        if let Some(callback) = self.0.take() {
            callback.io_completed(result);
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        if let Some(callback) = self.0.take() {
            callback.io_completed(Err(io::Error::other(
                "the storage stopped before this was written",
            )));
        }
    }
}

/// One thing to write.
pub(crate) enum Op {
    Append {
        records: Vec<(u64, Vec<u8>)>,
        last: Option<LogId>,
        sequence: u64,
        callback: Callback,
    },
    TruncateAfter {
        last: Option<LogId>,
        done: Done,
    },
    Purge {
        upto: LogId,
    },
    Vote {
        vote: Vote,
        done: Done,
    },
    Identity {
        identity: Identity,
        done: Done,
    },
    Wipe {
        done: Done,
    },
    Close {
        done: Done,
    },
}

impl Op {
    /// What it adds to a batch.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Append { records, .. } => records.iter().map(|(_, r)| r.len()).sum(),
            _ => 0,
        }
    }

    /// These are rare, and too dear to be rolled back by rot.
    pub(crate) fn wants_two_phases(&self) -> bool {
        matches!(
            self,
            Self::Vote { .. } | Self::Identity { .. } | Self::Wipe { .. }
        )
    }

    /// Tells the caller what came of it.
    pub(crate) fn answer(self, result: io::Result<()>) {
        match self {
            Self::Append { callback, .. } => callback.complete(result),
            Self::Purge { .. } => {}
            Self::TruncateAfter { done, .. }
            | Self::Vote { done, .. }
            | Self::Identity { done, .. }
            | Self::Wipe { done }
            | Self::Close { done } => {
                // The caller may have gone; what it asked for is done all the same.
                let _ = done.send(result);
            }
        }
    }
}

/// An operation with its share of the queue.
pub(crate) struct Queued {
    pub(crate) op: Op,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// The answer of a store whose writer has gone.
pub(crate) fn closed() -> io::Error {
    io::Error::other("the store is closed")
}
