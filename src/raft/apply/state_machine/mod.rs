//! Implements openraft's state machine on the replica: applies entries, builds and installs
//! snapshots.

use super::replica::Replica;
use super::snapshot_body::{RaftSnapshot, SnapshotBody};
use crate::clock::PauseDetector;
use crate::registry::{Change, Image, Registry};
use crate::storage::Snapshots;
use crate::storage::types::{Entry, LogId, Outcomes, SnapshotMeta, StoredMembership, TypeConfig};
use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt};
use openraft::EntryPayload;
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot};
use std::io;
use std::sync::Arc;

/// The replica, with the last applied log id and membership that openraft needs.
pub(crate) struct StateMachine {
    replica: Arc<Replica>,
    snapshots: Snapshots,
    last_applied: Option<LogId>,
    membership: StoredMembership,
}

impl StateMachine {
    /// Opens the replica from the newest snapshot on disk. openraft replays the log entries after
    /// that snapshot.
    ///
    /// # Errors
    /// When the snapshot cannot be read or trusted. The error names the file and the reason.
    pub(crate) async fn open(
        snapshots: Snapshots,
        environment: &str,
        cluster_id: u64,
        recovery_gap: std::time::Duration,
        pause_detector: PauseDetector,
    ) -> io::Result<(StateMachine, Arc<Replica>)> {
        let loaded = blocking(snapshots.clone(), |snapshots| snapshots.load()).await?;
        let (registry, last_applied, membership) = match loaded {
            None => (
                Registry::new(environment),
                None,
                StoredMembership::default(),
            ),
            Some((meta, data)) => {
                let registry = registry_of(&data)?;
                if registry.environment() != environment {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!(
                            "the snapshot belongs to environment {:?}, but this node is in \
                             {environment:?}",
                            registry.environment()
                        ),
                    ));
                }
                (registry, meta.last_log_id, meta.last_membership)
            }
        };
        let replica = Arc::new(Replica::new(
            registry,
            cluster_id,
            recovery_gap,
            pause_detector,
        ));
        Ok((
            StateMachine {
                replica: replica.clone(),
                snapshots,
                last_applied,
                membership,
            },
            replica,
        ))
    }

    /// Applies one entry.
    ///
    /// # Errors
    /// When the log uses a feature level of commands that this release does not know. If this node
    /// applied such an entry, its state would differ from that of the other nodes.
    fn apply_entry(&mut self, entry: &Entry) -> io::Result<(Outcomes, Vec<Change>)> {
        self.last_applied = Some(entry.log_id);
        let batch = match &entry.payload {
            EntryPayload::Blank => None,
            EntryPayload::Normal(proposal) => Some(proposal.0.as_ref()),
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership.clone());
                None
            }
        };
        let (outcomes, changes) = self.replica.apply(&entry.log_id, batch);
        match self.replica.registry().unknown_level() {
            Some(level) => Err(io::Error::other(format!(
                "the log uses command level {level}, which this release does not support: run the \
                 release of the other members"
            ))),
            None => Ok((Outcomes(outcomes), changes)),
        }
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotBody;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.last_applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + Send,
    {
        let mut waiting = entries.next().await;
        while let Some(item) = waiting {
            let (entry, responder) = item?;
            let (outcomes, changes) = self.apply_entry(&entry)?;
            if let Some(responder) = responder {
                responder.send(outcomes);
            }
            // Notify the watchers after the response, so that the client that made the change does
            // not wait behind thousands of watchers.
            self.replica.notify(&changes);
            waiting = match entries.next().now_or_never() {
                Some(ready) => ready,
                None => {
                    self.replica.announce_applied();
                    entries.next().await
                }
            };
        }
        self.replica.announce_applied();
        Ok(())
    }

    /// Postpones a snapshot for which the disk has no space, since a failed write of a snapshot
    /// ends the process. With `force`, the snapshot is tried in any case.
    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<SnapshotBuilder> {
        let body_bytes = self.replica.registry().counted_bytes() as u64;
        let room = blocking(self.snapshots.clone(), move |snapshots| {
            snapshots.have_room(body_bytes)
        });
        match room.await {
            Ok(false) if !force => None,
            // If the disk cannot report its free space, let the write of the snapshot fail and stop
            // the process.
            _ => Some(self.get_snapshot_builder().await),
        }
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        SnapshotBuilder {
            image: self.replica.registry().image(),
            meta: SnapshotMeta {
                last_log_id: self.last_applied,
                last_membership: self.membership.clone(),
            },
            snapshots: self.snapshots.clone(),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotBody,
    ) -> Result<(), io::Error> {
        let saved = meta.clone();
        let registry = blocking(self.snapshots.clone(), move |snapshots| match snapshot {
            SnapshotBody::Restored(registry) => {
                // The received bytes were not kept. The registry encodes to the same bytes again,
                // since equal states have equal snapshots.
                save_image(&snapshots, &saved, &registry.image()).map(|()| *registry)
            }
            SnapshotBody::Encoded(bytes) => {
                let registry = registry_of(&bytes)?;
                snapshots.save(&saved, &bytes).map(|()| registry)
            }
            SnapshotBody::OnDisk => Err(io::Error::other("a snapshot arrived without its body")),
        })
        .await?;
        self.last_applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.replica.install(registry);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<RaftSnapshot>, io::Error> {
        let loaded = blocking(self.snapshots.clone(), |snapshots| snapshots.load()).await?;
        Ok(loaded.map(|(meta, data)| Snapshot {
            meta,
            snapshot: SnapshotBody::Encoded(Bytes::from(data)),
        }))
    }
}

/// A snapshot to be written, with the state at the time of the request. Entries continue to be
/// applied during the write.
pub(crate) struct SnapshotBuilder {
    image: Image,
    meta: SnapshotMeta,
    snapshots: Snapshots,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = SnapshotBody;

    async fn build_snapshot(&mut self) -> Result<RaftSnapshot, io::Error> {
        let (image, meta) = (self.image.clone(), self.meta.clone());
        blocking(self.snapshots.clone(), move |snapshots| {
            save_image(&snapshots, &meta, &image)
        })
        .await?;
        // openraft reads only the metadata here, and calls `get_current_snapshot` when a member
        // needs the body.
        Ok(Snapshot {
            meta: self.meta.clone(),
            snapshot: SnapshotBody::OnDisk,
        })
    }
}

/// Writes a snapshot of the image to disk.
fn save_image(snapshots: &Snapshots, meta: &SnapshotMeta, image: &Image) -> io::Result<()> {
    snapshots.save_with(meta, image.byte_count(), |out| image.write_to(out))
}

/// Decodes the registry of a snapshot.
///
/// # Errors
/// When the snapshot is damaged, or was written by a release that this one does not know.
pub(crate) fn registry_of(data: &[u8]) -> io::Result<Registry> {
    Registry::from_snapshot(data).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Runs `work`, which may block on the disk, on the executor of the snapshots.
async fn blocking<T: Send + 'static>(
    snapshots: Snapshots,
    work: impl FnOnce(Snapshots) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let place = snapshots.work().clone();
    place
        .run(move || work(snapshots))
        .await
        .map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;
