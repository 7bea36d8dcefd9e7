//! openraft's conformance suite on the real file system.

use crate::types::{Entry, LogId, Outcomes, SnapshotMeta, StoredMembership, TypeConfig};
use crate::{LogStore, OsFs, Snapshots, Store};
use futures_util::{Stream, TryStreamExt};
use openraft::entry::EntryPayload;
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{OptionalSend, StorageError};
use std::io;
use std::sync::Arc;

/// A state machine that stores only its last applied log id and its membership; its snapshots are
/// written to real files.
#[derive(Clone)]
struct Follower {
    applied: Option<LogId>,
    membership: StoredMembership,
    snapshots: Snapshots,
}

type Taken = Snapshot<
    openraft::impls::leader_id_adv::LeaderId<u64, u64>,
    u64,
    crate::types::Member,
    Vec<u8>,
>;

impl RaftSnapshotBuilder<TypeConfig> for Follower {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> io::Result<Taken> {
        let meta = SnapshotMeta {
            last_log_id: self.applied,
            last_membership: self.membership.clone(),
        };
        let snapshot = vec![7; 200_000];
        self.snapshots.save(&meta, &snapshot)?;
        Ok(Snapshot { meta, snapshot })
    }
}

impl RaftStateMachine<TypeConfig> for Follower {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let Entry { log_id, payload } = entry;
            self.applied = Some(log_id);
            if let EntryPayload::Membership(membership) = payload {
                self.membership = StoredMembership::new(Some(log_id), membership);
            }
            if let Some(responder) = responder {
                responder.send(Outcomes::default());
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Vec<u8>) -> io::Result<()> {
        self.snapshots.save(meta, &snapshot)?;
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Taken>> {
        Ok(self
            .snapshots
            .load()?
            .map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

struct Builder;

impl StoreBuilder<TypeConfig, LogStore, Follower, tempfile::TempDir> for Builder {
    async fn build(
        &self,
    ) -> Result<(tempfile::TempDir, LogStore, Follower), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(Arc::new(OsFs), dir.path()).expect("a new store");
        let follower = Follower {
            applied: None,
            membership: StoredMembership::default(),
            snapshots: store.snapshots(),
        };
        Ok((dir, store.log_store(), follower))
    }
}

/// The log store passes openraft's own suite.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_openrafts_contract() {
    Suite::test_all(Builder).await.expect("the suite passes");
}
