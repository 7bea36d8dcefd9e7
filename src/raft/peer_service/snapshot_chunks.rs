//! Receives snapshots from the leader, piece by piece.

use crate::locks::lock;
use crate::model::shown;
use crate::raft::apply::snapshot_body::{RaftSnapshot, SnapshotBody};
use crate::raft::group::Group;
use crate::raft::log_target;
use crate::raft::transport::{Response, SnapshotChunk, message_checks};
use crate::registry::Registry;
use crate::storage::SNAPSHOT_BYTES_MAX;
use crate::storage::types::{RaftId, SnapshotMeta};
use std::sync::Mutex;

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
        Err(reason) => return Response::Failed(reason),
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
) -> Result<Option<ChunkAssembler>, String> {
    if chunk.offset == 0 {
        *buffer = ChunkAssembler::default();
    }
    if chunk.offset != buffer.bytes {
        let next = buffer.bytes;
        return Err(format!(
            "a piece at byte {} arrived where byte {next} was expected",
            chunk.offset
        ));
    }
    let data = std::mem::take(&mut chunk.data);
    if buffer.bytes.saturating_add(data.len() as u64) > SNAPSHOT_BYTES_MAX {
        return Err(format!("it is larger than {SNAPSHOT_BYTES_MAX} bytes"));
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
) -> Result<Box<Registry>, String> {
    let store = group.store().clone();
    let environment = group.options.environment.clone();
    let last = meta.last_log_id.map_or(0, |id| id.index);
    let read = move || {
        let snapshots = store.snapshots();
        if !snapshots
            .have_room(pieces.bytes)
            .map_err(|error| error.to_string())?
        {
            return Err(format!(
                "the disk has no room for its {} bytes",
                pieces.bytes
            ));
        }
        let registry = Registry::from_pieces(pieces.pieces.into_iter());
        let registry = registry.map_err(|error| error.to_string())?;
        if registry.environment() != environment {
            let other = shown(registry.environment());
            return Err(format!("it belongs to environment {other}"));
        }
        match registry.applied_index() == last {
            true => Ok(Box::new(registry)),
            false => Err(format!(
                "it contains the state at log index {}, but its metadata says {last}",
                registry.applied_index()
            )),
        }
    };
    let work = group.store().work();
    work.run(read).await.map_err(|error| error.to_string())?
}
