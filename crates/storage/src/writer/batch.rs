//! Batches of the group commit: the requests in one write, and the kind of commit that they need.

use crate::db::database::CommitMode;
use crate::db::durable_state::DurableState;
use crate::request::{QueuedRequest, ResultSender, WriteRequest};
#[cfg(feature = "planted")]
use quorate_planted::{Bug, is_planted};
use std::sync::mpsc::Receiver;

/// Maximum number of requests in a batch; [`BYTES_MAX`] limits the bytes. Because of these limits,
/// a request that is queued behind a batch waits for one commit of limited size, not for a whole
/// backlog. The commit may also contain the frames in the WAL.
const REQUESTS_MAX: usize = 4096;
/// Size in bytes from which on a batch takes no further request. The last request of the batch may
/// exceed this number.
pub(super) const BYTES_MAX: usize = 4 << 20;

/// The destination of a batch, with the resulting state on disk.
pub(super) enum BatchWritten {
    Wal(DurableState),
    Database(DurableState),
}

/// Collects the queued requests into a batch, without waiting for more. A request to close the
/// store ends the batch and is returned separately, since it is handled after the batch.
pub(super) fn collect(
    queue: &Receiver<QueuedRequest>,
    first: QueuedRequest,
) -> (Vec<QueuedRequest>, Option<ResultSender>) {
    let mut bytes = first.request.bytes();
    let mut batch = vec![first];
    while batch.len() < REQUESTS_MAX && bytes < BYTES_MAX {
        match queue.try_recv() {
            Ok(QueuedRequest {
                request: WriteRequest::Close { done },
                ..
            }) => return (batch, Some(done)),
            Ok(queued) => {
                bytes += queued.request.bytes();
                batch.push(queued);
            }
            Err(_) => break,
        }
    }
    (batch, None)
}

/// Returns the kind of commit for a batch.
pub(super) fn commit_mode(batch: &[QueuedRequest]) -> CommitMode {
    #[cfg(feature = "planted")]
    if is_planted(Bug::VoteUnsynced)
        && batch
            .iter()
            .any(|q| matches!(q.request, WriteRequest::Vote { .. }))
    {
        return CommitMode::Unsynced;
    }
    match batch.iter().any(|q| q.request.needs_two_phases()) {
        true => CommitMode::TwoPhases,
        #[cfg(feature = "planted")]
        false if is_planted(Bug::EntryUnsynced) => CommitMode::Unsynced,
        false => CommitMode::OnePhase,
    }
}
