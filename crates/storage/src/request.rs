//! The requests that the writer handles, and the channels that report their results.

use super::identity::Identity;
use crate::types::{LogId, TypeConfig, Vote};
use openraft::storage::IOFlushed;
use std::io;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// The channel that reports the result of a request to its caller.
pub(crate) type ResultSender = oneshot::Sender<io::Result<()>>;

/// openraft's I/O callback. If it is dropped without being called, it reports a failure, so that no
/// callback is ever lost.
pub(crate) struct Callback(Option<IOFlushed<TypeConfig>>);

impl Callback {
    pub(crate) fn new(callback: IOFlushed<TypeConfig>) -> Self {
        Self(Some(callback))
    }

    /// Calls the callback with the result.
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

/// A request for the writer.
pub(crate) enum WriteRequest {
    Append {
        records: Vec<(u64, Vec<u8>)>,
        last: Option<LogId>,
        sequence: u64,
        callback: Callback,
    },
    TruncateAfter {
        last: Option<LogId>,
        done: ResultSender,
    },
    Purge {
        upto: LogId,
    },
    Vote {
        vote: Vote,
        done: ResultSender,
    },
    Identity {
        identity: Identity,
        done: ResultSender,
    },
    Wipe {
        done: ResultSender,
    },
    Close {
        done: ResultSender,
    },
}

impl WriteRequest {
    /// Returns the number of bytes that the request adds to a batch.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Append { records, .. } => records.iter().map(|(_, r)| r.len()).sum(),
            _ => 0,
        }
    }

    /// Returns whether the request requires a two-phase commit.
    ///
    /// Votes, identities and wipes require one, because they must not be lost. If a one-phase
    /// commit is silently corrupted, the database later rolls the commit back. These requests are
    /// rare, so the second fsync costs little.
    pub(crate) fn needs_two_phases(&self) -> bool {
        matches!(
            self,
            Self::Vote { .. } | Self::Identity { .. } | Self::Wipe { .. }
        )
    }

    /// Reports the result to the caller.
    pub(crate) fn reply(self, result: io::Result<()>) {
        match self {
            Self::Append { callback, .. } => callback.complete(result),
            Self::Purge { .. } => {}
            Self::TruncateAfter { done, .. }
            | Self::Vote { done, .. }
            | Self::Identity { done, .. }
            | Self::Wipe { done }
            | Self::Close { done } => {
                // An error means that the caller no longer waits. The request was still carried
                // out.
                let _ = done.send(result);
            }
        }
    }
}

/// A request with the permit that reserves space for its bytes in the queue.
pub(crate) struct QueuedRequest {
    pub(crate) request: WriteRequest,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Returns the error of a store whose writer has stopped.
pub(crate) fn closed() -> io::Error {
    io::Error::other("the store is closed")
}
