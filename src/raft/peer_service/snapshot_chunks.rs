//! Receives snapshots from the leader, piece by piece.

use crate::locks::lock;
use crate::model::shown;
use crate::raft::apply::snapshot_body::{RaftSnapshot, SnapshotBody};
use crate::raft::group::Group;
use crate::raft::log_target;
use crate::raft::transport::message_checks::InvalidMessage;
use crate::raft::transport::{Response, SnapshotChunk, message_checks};
use crate::registry::{BadSnapshot, Registry};
use crate::storage::SNAPSHOT_BYTES_MAX;
use crate::storage::types::{RaftId, SnapshotMeta};
use std::io;
use std::sync::Mutex;
use thiserror::Error;
use tokio::task::JoinError;

/// The reason why a snapshot from the leader is not installed.
#[derive(Debug, Error)]
enum RefusedSnapshot {
    /// A piece does not continue the earlier ones.
    #[error("a piece at byte {at} arrived where byte {next} was expected")]
    Order { at: u64, next: u64 },
    /// The body is too large.
    #[error("it is larger than {SNAPSHOT_BYTES_MAX} bytes")]
    TooLarge,
    /// The metadata is invalid.
    #[error(transparent)]
    Metadata(#[from] InvalidMessage),
    /// The disk has too little space.
    #[error("the disk has no room for its {0} bytes")]
    NoRoom(u64),
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// The body is not a snapshot of a registry.
    #[error(transparent)]
    Body(#[from] BadSnapshot),
    /// The registry in the body belongs to another environment.
    #[error("it belongs to environment {0}")]
    Environment(String),
    /// The log index in the metadata is not that of the registry in the body.
    #[error("it contains the state at log index {found}, but its metadata says {stated}")]
    Index { found: u64, stated: u64 },
    /// The task that checks the snapshot did not finish.
    #[error(transparent)]
    Aborted(#[from] JoinError),
}

/// Collects a piece of a snapshot from the leader, and installs the snapshot once the last piece is
/// there.
pub(super) async fn take_chunk(
    from: RaftId,
    group: &Group,
    buffer: &Mutex<ChunkAssembler>,
    mut chunk: SnapshotChunk,
) -> Response {
    let gathered = add(&mut lock(buffer), &mut chunk);
    let pieces = match gathered {
        Ok(None) => return Response::Snapshot(None),
        Ok(Some(pieces)) => pieces,
        Err(refused) => return Response::Failed(refused.to_string()),
    };
    let bytes = pieces.bytes;
    let registry = match restore(group, &chunk.meta, pieces).await {
        Ok(registry) => registry,
        Err(reason) => {
            let reason = format!("{} refuses the snapshot: {reason}", group.options.node_id);
            group.peers.log_failure(from, &reason);
            return Response::Failed(reason);
        }
    };
    tracing::info!(
        target: log_target::SERVICE,
        bytes, "installing a snapshot from the leader"
    );
    let snapshot = RaftSnapshot {
        meta: chunk.meta,
        snapshot: SnapshotBody::Restored(registry),
    };
    match group.raft.install_full_snapshot(chunk.vote, snapshot).await {
        Ok(response) => Response::Snapshot(Some(response.vote)),
        Err(error) => Response::Failed(error.to_string()),
    }
}

/// The pieces of a snapshot received so far.
#[derive(Default)]
pub(crate) struct ChunkAssembler {
    pieces: Vec<Vec<u8>>,
    bytes: u64,
}

/// Appends a piece to the earlier ones. Returns the whole snapshot once the last piece is there.
fn add(
    buffer: &mut ChunkAssembler,
    chunk: &mut SnapshotChunk,
) -> Result<Option<ChunkAssembler>, RefusedSnapshot> {
    if chunk.offset == 0 {
        *buffer = ChunkAssembler::default();
    }
    if chunk.offset != buffer.bytes {
        return Err(RefusedSnapshot::Order {
            at: chunk.offset,
            next: buffer.bytes,
        });
    }
    let data = std::mem::take(&mut chunk.data);
    if buffer.bytes.saturating_add(data.len() as u64) > SNAPSHOT_BYTES_MAX {
        return Err(RefusedSnapshot::TooLarge);
    }
    message_checks::snapshot_meta(&chunk.meta)?;
    buffer.bytes += data.len() as u64;
    buffer.pieces.push(data);
    Ok(chunk.last.then(|| std::mem::take(buffer)))
}

/// Decodes and checks a whole snapshot, because openraft ends the process when a snapshot cannot be
/// installed.
async fn restore(
    group: &Group,
    meta: &SnapshotMeta,
    pieces: ChunkAssembler,
) -> Result<Box<Registry>, RefusedSnapshot> {
    let store = group.store().clone();
    let environment = group.options.environment.clone();
    let last = meta.last_log_id.map_or(0, |id| id.index);
    let read = move || {
        let snapshots = store.snapshots();
        if !snapshots.have_room(pieces.bytes)? {
            return Err(RefusedSnapshot::NoRoom(pieces.bytes));
        }
        let registry = Registry::from_pieces(pieces.pieces.into_iter())?;
        if registry.environment() != environment {
            let other = shown(registry.environment());
            return Err(RefusedSnapshot::Environment(other));
        }
        match registry.applied_index() == last {
            true => Ok(Box::new(registry)),
            false => Err(RefusedSnapshot::Index {
                found: registry.applied_index(),
                stated: last,
            }),
        }
    };
    let work = group.store().work();
    work.run(read).await?
}
