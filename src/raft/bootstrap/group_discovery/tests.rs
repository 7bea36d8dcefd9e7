use super::*;
use crate::clock::PauseDetector;
use crate::raft::{LogRetention, PeerSecurity};
use crate::storage::types::LogId;
use crate::storage::{OsFs, Store};
use std::path::Path;

fn options(dir: &Path, node_id: &str, environment: &str) -> Options {
    let store = Store::open(std::sync::Arc::new(OsFs), dir).expect("a fresh directory");
    Options {
        node_id: node_id.to_owned(),
        environment: environment.to_owned(),
        address: "http://127.0.0.1:1".to_owned(),
        bind: None,
        security: PeerSecurity::Off,
        dial: None,
        inventory: None,
        max_age: Duration::from_secs(30),
        recovery_gap: Duration::from_secs(5),
        recovery_grace: Duration::from_secs(30),
        log_limits: LogRetention::default(),
        auto_rejoin: true,
        heartbeat: Duration::from_millis(100),
        election: (Duration::from_millis(300), Duration::from_millis(500)),
        store,
        pause_detector: PauseDetector::start(),
    }
}

async fn reopened(dir: &Path, node_id: &str, environment: &str) -> Result<(), RaftError> {
    let opened = Bootstrap::open(options(dir, node_id, environment)).await;
    opened.map(|_| ())
}

/// A node whose state differed from that of the other nodes does not serve again from the same
/// disk. The error names the remedy.
#[tokio::test]
async fn a_diverged_directory_is_not_opened_again() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let bootstrap = Bootstrap::open(options(dir.path(), "a", "test"))
        .await
        .expect("it is fresh");
    bootstrap.mark_diverged().await.expect("the disk is well");
    bootstrap.options.store.clone().close().await;
    drop(bootstrap);
    let refused = reopened(dir.path(), "a", "test").await;
    assert!(
        matches!(refused, Err(RaftError::Diverged(why)) if why.to_string().contains("Empty it"))
    );
}

/// A node whose snapshot is ahead of its log reports the log id of the snapshot to its peers,
/// because the node has acknowledged the snapshot to the leader.
#[tokio::test]
async fn a_snapshot_ahead_of_the_log_is_shown() {
    use crate::storage::types::SnapshotMeta;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let bootstrap = Bootstrap::open(options(dir.path(), "a", "test"))
        .await
        .expect("it is fresh");
    let leader = openraft::impls::leader_id_adv::LeaderId {
        term: 1,
        node_id: 1,
    };
    let last = Some(LogId::new(leader, 9));
    let meta = SnapshotMeta {
        last_log_id: last,
        ..SnapshotMeta::default()
    };
    let store = bootstrap.options.store.clone();
    store
        .snapshots()
        .save(&meta, b"body")
        .expect("the disk is well");
    drop(bootstrap);
    store.close().await;
    let again = Bootstrap::open(options(dir.path(), "a", "test"))
        .await
        .expect("it opens");
    assert_eq!(again.options.store.last_log_id(), None);
    assert_eq!(again.local_member().identity().last_log_id, last);
}

/// A data directory belongs to one node in one environment. Another node or environment is refused,
/// and the error names both sides.
#[tokio::test]
async fn a_directory_of_another_node_or_environment_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    reopened(dir.path(), "a", "test")
        .await
        .expect("it is fresh");
    let refused = reopened(dir.path(), "b", "test").await;
    assert!(
        matches!(refused, Err(RaftError::Identity(why)) if why.to_string().contains("node.id a"))
    );
    let refused = reopened(dir.path(), "a", "prod").await;
    assert!(
        matches!(refused, Err(RaftError::Identity(why)) if why.to_string().contains("in prod"))
    );
}
