//! Tests of a single node in this process, on a disk that can be made to report that it is full.

use super::*;
use crate::clock::{self, PauseDetector};
use crate::model::Service;
use crate::raft::transport::WriteResult;
use crate::raft::{LogRetention, PeerSecurity};
use crate::registry::{Arrival, LEVEL_OF_ORDER, Outcome};
use crate::storage::{FileLock, FsSpace, OsFs, Store, Vfs, VfsFile};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

const MAX_AGE: Duration = Duration::from_millis(1_000);
/// Time after max-age by which an announcement has certainly expired. The expiry may be
/// late by the deadline of a write plus one tick, and the time chosen here is longer.
const WELL_PAST: Duration = Duration::from_secs(3);
/// Maximum log size of a test node.
const LOG_BYTES_MAX: u64 = 256 << 10;
/// Time between two checks of a condition.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Maximum time for a condition to become true.
const LIMIT: Duration = Duration::from_secs(10);

/// The real file system, except for its reported space.
#[derive(Debug, Default)]
struct Filling {
    full: AtomicBool,
}

impl Vfs for Filling {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        OsFs.create_dir_all(dir)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        OsFs.open(path)
    }
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        OsFs.create_new(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsFs.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        OsFs.remove(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        OsFs.list(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        OsFs.sync_dir(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        OsFs.lock(path)
    }
    fn allocated_bytes(&self, path: &Path) -> io::Result<u64> {
        match self.full.load(Ordering::Relaxed) {
            true => Ok(0),
            false => OsFs.allocated_bytes(path),
        }
    }
    fn space(&self, dir: &Path) -> io::Result<FsSpace> {
        let space = OsFs.space(dir)?;
        match self.full.load(Ordering::Relaxed) {
            true => Ok(FsSpace {
                free_bytes: 0,
                ..space
            }),
            false => Ok(space),
        }
    }
}

async fn lone_node(disk: Arc<Filling>, dir: &Path) -> Node {
    let store = Store::open(disk, dir).expect("a fresh directory");
    let started = Node::start(alone(store)).await;
    started.expect("the directory is its own")
}

fn alone(store: Store) -> Options {
    Options {
        node_id: "a".to_owned(),
        environment: "test".to_owned(),
        address: "http://127.0.0.1:1".to_owned(),
        bind: None,
        security: PeerSecurity::Off,
        dial: None,
        inventory: None,
        max_age: MAX_AGE,
        recovery_gap: Duration::from_secs(1),
        recovery_grace: Duration::from_millis(500),
        log_limits: LogRetention {
            snapshot_every_bytes: 128 << 10,
            max_bytes: LOG_BYTES_MAX,
            kept_bytes: 64 << 10,
        },
        auto_rejoin: true,
        heartbeat: Duration::from_millis(100),
        election: (Duration::from_millis(300), Duration::from_millis(500)),
        store,
        pause_detector: PauseDetector::start(),
    }
}

fn engine() -> Announcement {
    engine_with("")
}

fn engine_with(property: &str) -> Announcement {
    Announcement {
        node_id: "engine".to_owned(),
        pool: "general".to_owned(),
        location: "/engine".to_owned(),
        services: vec![Service {
            id: "1".to_owned(),
            service_type: "presto".to_owned(),
            properties: [("p".to_owned(), property.to_owned())].into(),
        }]
        .into(),
    }
}

fn soon() -> Instant {
    clock::now() + Duration::from_millis(1_800)
}

/// Announces repeatedly until the result satisfies `wanted`.
async fn announce_until(node: &Node, wanted: impl Fn(&Result<u64, WriteError>) -> bool) {
    let tried = async {
        while !wanted(&node.announce(engine(), soon()).await) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, tried)
        .await
        .expect("the answer comes");
}

/// A stored announcement is renewed by its digest alone. The full announcement is requested only if
/// it is not stored. An announcement that cannot be read changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_is_asked_for_when_it_is_not_held() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let node = lone_node(Arc::default(), dir.path()).await;
    announce_until(&node, Result::is_ok).await;
    node.withdraw("engine".to_owned(), None, soon())
        .await
        .expect("it is taken");

    let digest = engine().digest();
    let unreadable = || Err(Announcement::from_json("engine", b"{", "test").expect_err("no JSON"));
    let refused = node
        .renew_or_announce("engine", digest, unreadable, None, soon())
        .await;
    let said = Announcement::from_json("engine", b"{", "test").expect_err("no JSON");
    assert!(
        matches!(refused, Err(WriteError::NotApplied(why)) if why.to_string() == said.to_string())
    );
    assert!(!lists_the_engine(&node).await);

    let mut asked = 0;
    for _ in 0..3 {
        let announcement = || {
            asked += 1;
            Ok(engine())
        };
        node.renew_or_announce("engine", digest, announcement, None, soon())
            .await
            .expect("it is taken");
        assert!(lists_the_engine(&node).await);
    }
    assert_eq!(asked, 1);
    node.stop().await;
}

/// Proposes a command as another node would, that is, without a wait for earlier writes that this
/// node received for the same node id.
async fn propose_elsewhere(node: &Node, command: Command) -> u64 {
    let group = node.group().expect("a group");
    match group.write_queue.write(command, soon()).await {
        WriteResult::Done {
            outcome: Outcome::Applied,
            index,
        } => index,
        other => panic!("{other:?}"),
    }
}

/// Returns the evidence that a write arriving at another node now would carry.
fn arrival_now(node: &Node) -> Arrival {
    let group = node.group().expect("a group");
    let (committed, tail) = group.replica.evidence().known();
    Arrival {
        committed,
        tail,
        ..Arrival::default()
    }
}

async fn level_of_order(node: &Node) {
    let reached = async {
        let mut pace = tokio::time::interval(LOOK_INTERVAL);
        let level = || node.group().map(|group| group.replica.registry().level());
        while level().is_ok_and(|level| level < LEVEL_OF_ORDER) {
            pace.tick().await;
        }
    };
    tokio::time::timeout(LIMIT, reached)
        .await
        .expect("the level rises");
}

/// The check of a client runs after the evidence of its write is collected. If another node commits
/// a change of the node while the check runs, the write is rejected, because the check was made
/// against an announcement that is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_during_the_check_of_a_client_refuses_the_write() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let node = lone_node(Arc::default(), dir.path()).await;
    announce_until(&node, Result::is_ok).await;
    level_of_order(&node).await;
    let (checking, mut checks) = tokio::sync::mpsc::channel(1);
    let (go_on, may_go_on) = std::sync::mpsc::sync_channel(1);
    let may_go_on = std::sync::Mutex::new(may_go_on);
    let writer = node.clone();
    let waiting = tokio::spawn(async move {
        let changed = engine_with("changed");
        let check = |registered: Option<&Announcement>| {
            let seen = registered.map(Announcement::digest);
            checking.try_send(seen).expect("the test listens");
            let may_go_on = may_go_on.lock().expect("no panic");
            may_go_on
                .recv_timeout(LIMIT)
                .map_err(|error| error.to_string())
        };
        let whole = || Ok(changed.clone());
        writer
            .renew_or_announce("engine", changed.digest(), whole, Some(&check), soon())
            .await
    });
    let seen = checks.recv().await.expect("it is checked");
    assert_eq!(seen, Some(engine().digest()));
    let gone = Command::OrderedWithdraw {
        arrival: arrival_now(&node),
        node_id: "engine".to_owned(),
    };
    propose_elsewhere(&node, gone).await;
    go_on.send(()).expect("the check waits");
    let refused = waiting.await.expect("no panic");
    assert!(
        matches!(&refused, Err(WriteError::NotApplied(why))
            if why.to_string() == "overtaken by another write of node engine; send it again"),
        "{refused:?}"
    );
    assert!(!lists_the_engine(&node).await);
    node.stop().await;
}

/// A write keeps the evidence (known log positions) of its arrival while it waits for earlier
/// writes of its node id. If another node commits a superseding write during the wait, the waiting
/// write is rejected. It is not proposed again with later evidence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_is_overtaken_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let node = lone_node(Arc::default(), dir.path()).await;
    announce_until(&node, Result::is_ok).await;
    level_of_order(&node).await;
    let group = node.group().expect("a group");

    let newer = Command::OrderedAnnounce {
        arrival: arrival_now(&node),
        announcement: engine_with("newer"),
    };
    let gone = Command::OrderedWithdraw {
        arrival: Arrival {
            committed: u64::MAX,
            ..Arrival::default()
        },
        node_id: "engine".to_owned(),
    };
    // The first case is an announcement that is replaced while it waits. The second is a renewal of
    // an announcement that is withdrawn while it waits.
    for (earlier, later) in [(engine_with("older"), newer), (engine_with("newer"), gone)] {
        let guard = group.write_order.enter("engine").guard().await;
        let (writer, until) = (node.clone(), soon());
        let mut waiting = tokio::spawn(async move { writer.announce(earlier, until).await });
        let early = tokio::time::timeout(Duration::from_millis(100), &mut waiting).await;
        assert!(early.is_err(), "it waits");
        propose_elsewhere(&node, later).await;
        drop(guard);
        let refused = waiting.await.expect("no panic");
        assert!(
            matches!(&refused, Err(WriteError::NotApplied(why))
                if why.to_string() == "overtaken by another write of node engine; send it again"),
            "it was proposed again: {refused:?}"
        );
        let held = || {
            group
                .replica
                .registry()
                .held("engine")
                .map(|held| held.digest)
        };
        assert_ne!(held(), Some(engine_with("older").digest()));
    }
    assert!(!lists_the_engine(&node).await);
    node.announce(engine(), soon()).await.expect("sent again");
    node.stop().await;
}

/// Writes of one client that wait for each other at one node are all accepted, in their order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_take_turns_are_all_taken() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let node = lone_node(Arc::default(), dir.path()).await;
    announce_until(&node, Result::is_ok).await;
    level_of_order(&node).await;
    for round in 0..20 {
        let first = engine_with(&format!("first {round}"));
        let (first, second, third) = tokio::join!(
            biased;
            node.announce(first, soon()),
            node.announce(engine_with("second"), soon()),
            node.withdraw("engine".to_owned(), None, soon()),
        );
        let indexes = [first, second, third].map(|taken| taken.expect("it is taken"));
        assert!(indexes.is_sorted(), "{indexes:?}");
        assert!(!lists_the_engine(&node).await);
    }
    node.stop().await;
}

async fn lists_the_engine(node: &Node) -> bool {
    let found = node.lookup(&Lookup::All, soon()).await;
    let found = found.expect("reads go on");
    String::from_utf8_lossy(found.rendered.json()).contains("engine")
}

/// A node whose disk is full rejects writes as certainly not applied, with an error that names the
/// disk. It continues to answer lookups and expires no announcement, since none could be renewed.
/// Once there is space again, it recovers without help.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_and_lets_nobody_expire() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let disk = Arc::new(Filling::default());
    let node = lone_node(disk.clone(), dir.path()).await;
    announce_until(&node, Result::is_ok).await;

    disk.full.store(true, Ordering::Relaxed);
    announce_until(&node, |answer| {
        matches!(answer, Err(WriteError::NotApplied(why))
            if why.to_string().contains("disk of a is full"))
    })
    .await;
    let until = clock::now() + MAX_AGE + WELL_PAST;
    let mut pace = tokio::time::interval(LOOK_INTERVAL);
    while clock::now() < until {
        pace.tick().await;
        assert!(lists_the_engine(&node).await, "it could not renew");
    }

    disk.full.store(false, Ordering::Relaxed);
    announce_until(&node, Result::is_ok).await;
    assert!(lists_the_engine(&node).await);
    node.stop().await;
}

/// When a node stops, it rejects a write that waits for a leader or for disk space. It does not
/// keep retrying the write until the client gives up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_waits_when_its_node_stops_is_refused_then() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let disk = Arc::new(Filling::default());
    let node = lone_node(disk.clone(), dir.path()).await;
    announce_until(&node, Result::is_ok).await;
    disk.full.store(true, Ordering::Relaxed);
    announce_until(&node, |answer| {
        matches!(answer, Err(WriteError::NotApplied(why))
            if why.to_string().contains("disk of a is full"))
    })
    .await;

    let writer = node.clone();
    let patient = clock::now() + Duration::from_secs(3_600);
    let mut waiting = tokio::spawn(async move { writer.announce(engine(), patient).await });
    let early = tokio::time::timeout(Duration::from_millis(100), &mut waiting).await;
    assert!(early.is_err(), "it waits");
    node.stop().await;
    let refused = tokio::time::timeout(LIMIT, waiting).await;
    let refused = refused.expect("soon").expect("no panic");
    assert!(
        matches!(refused, Err(WriteError::NotApplied(why)) if why.to_string().contains("stopping"))
    );
}

/// The log returns below its size limit without help, however large the entries are, and the node
/// starts from the remaining log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_large_entries_comes_back_below_its_limit() {
    const PROPERTY_BYTES: usize = 16 << 10;
    const ROUNDS: usize = 10;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let disk = Arc::new(Filling::default());
    let store = Store::open(disk.clone(), dir.path()).expect("a fresh directory");
    let node = Node::start(alone(store.clone())).await.expect("a group");
    announce_until(&node, Result::is_ok).await;
    for round in 0..ROUNDS {
        let appended_bytes = || store.log_growth().appended_bytes();
        let end = appended_bytes() + LOG_BYTES_MAX;
        while appended_bytes() < end {
            let text = format!("{round}-{}", appended_bytes());
            let large = engine_with(&text.repeat(PROPERTY_BYTES / text.len()));
            node.announce(large, soon()).await.expect("it is taken");
        }
        let purged = async {
            let mut pace = tokio::time::interval(LOOK_INTERVAL);
            while store.log_bytes() > LOG_BYTES_MAX {
                pace.tick().await;
            }
        };
        let purged = tokio::time::timeout(LIMIT, purged).await;
        purged.unwrap_or_else(|_| panic!("{} bytes in round {round}", store.log_bytes()));
    }
    node.announce(engine_with("the last"), soon())
        .await
        .expect("it is taken");
    node.stop().await;
    store.close().await;

    let node = lone_node(disk, dir.path()).await;
    let serves = async {
        let mut pace = tokio::time::interval(LOOK_INTERVAL);
        loop {
            pace.tick().await;
            if let Ok(found) = node.lookup(&Lookup::All, soon()).await {
                break found;
            }
        }
    };
    let found = tokio::time::timeout(LIMIT, serves)
        .await
        .expect("it serves");
    assert!(String::from_utf8_lossy(found.rendered.json()).contains("the last"));
    node.stop().await;
}
