//! Tests of watchers (streams of changes) that move from node to node.

use crate::support::cluster::FORM_LIMIT;
use crate::support::events::{Event, Events, index_of};
use crate::support::node::Write;
use crate::support::{Cluster, Options, until};
use quorate::clock;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
/// Time of silence after which a reader considers the node of its stream lost.
const SILENCE_LIMIT: Duration = Duration::from_secs(10);
const KIND: &str = "watched";
/// Number of node ids that each writer announces in rotation. One of seven requests is a
/// withdrawal.
const IDS_PER_WRITER: u64 = 5;

/// A watcher that moves to another node when its stream ends sees every change once and in order.
/// The leader and the watched node are killed while writers announce and withdraw through all
/// nodes. The test compares the changes, index by index, with the log of a member. It compares the
/// resulting state with a lookup.
#[test]
fn a_watcher_misses_nothing_over_kills() {
    let mut cluster = Cluster::start(3, Options::max_age("10m"));
    let addresses: Vec<SocketAddr> = cluster.nodes.iter().map(|node| node.address()).collect();
    let watcher = Watcher::start(&addresses);
    let writers = Writers::start(&addresses);
    for round in 0..rounds() {
        let before = (writers.acked(), watcher.seen());
        until("changes are written and seen", FORM_LIMIT, || {
            (writers.acked() >= before.0 + 40 && watcher.seen() >= before.1 + 20).then_some(())
        });
        let lost = match round % 2 {
            0 => cluster.leader(),
            _ => watcher.watches(),
        };
        cluster.nodes[lost].kill9();
        let seen = watcher.seen();
        cluster.leader_other_than(Some(lost));
        until("the watcher goes on", FORM_LIMIT, || {
            (watcher.seen() >= seen + 20).then_some(())
        });
        cluster.nodes[lost].start();
        cluster.nodes[lost].wait_ready(FORM_LIMIT);
    }
    let last = writers.stop();
    until("the last change is seen", FORM_LIMIT, || {
        (watcher.last_index() >= last).then_some(())
    });
    let held = cluster.nodes[0].lookup(KIND).expect("it serves");
    let seen = watcher.stop();
    println!(
        "{} changes seen, {} resumptions, {} resets",
        seen.changes.len(),
        seen.resumptions,
        seen.resets
    );
    assert_eq!(
        seen.resets, 0,
        "a node forgot, or the test is too long for what it keeps"
    );
    assert!(seen.resumptions >= rounds() / 2);
    let held: BTreeMap<String, Value> = held.into_iter().map(by_node).collect();
    assert_eq!(seen.held, held, "what the changes make is what is there");
    cluster.nodes[0].ask_to_stop();
    cluster.nodes[0].ended("SIGTERM");
    let logged = cluster.nodes[0].logged_changes(KIND);
    let logged: Vec<u64> = logged
        .into_iter()
        .filter(|index| *index > seen.first)
        .collect();
    assert_eq!(
        seen.changes, logged,
        "each change of the log, once, in order"
    );
}

/// Returns the number of kills. The default is small. `QUORATE_TEST_KILLS` sets a larger number
/// when figures are wanted.
fn rounds() -> usize {
    let asked =
        std::env::var_os("QUORATE_TEST_KILLS").and_then(|rounds| rounds.to_str()?.parse().ok());
    asked.unwrap_or(4)
}

fn by_node(service: Value) -> (String, Value) {
    let node_id = service["nodeId"].as_str().expect("a node").to_owned();
    (node_id, service)
}

/// The events that a watcher has seen, and the state that they lead to.
#[derive(Default)]
struct Seen {
    /// The index of the last whole state that the stream began or continued with.
    first: u64,
    changes: Vec<u64>,
    held: BTreeMap<String, Value>,
    resumptions: usize,
    resets: usize,
}

/// A background client that watches one type. When its stream ends, the client moves to the next
/// node.
struct Watcher {
    seen: Arc<Mutex<Seen>>,
    last_index: Arc<AtomicUsize>,
    watches: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Watcher {
    fn start(addresses: &[SocketAddr]) -> Watcher {
        let (seen, last_index, watches, stop) = (
            Arc::<Mutex<Seen>>::default(),
            Arc::<AtomicUsize>::default(),
            Arc::<AtomicUsize>::default(),
            Arc::<AtomicBool>::default(),
        );
        let shared = (
            seen.clone(),
            last_index.clone(),
            watches.clone(),
            stop.clone(),
        );
        let addresses = addresses.to_vec();
        let thread = std::thread::spawn(move || {
            let (seen, last_index, watches, stop) = shared;
            let mut last_id: Option<String> = None;
            for i in (0..addresses.len()).cycle() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                watches.store(i, Ordering::Release);
                let path = format!("/v1/watch/{KIND}");
                let Ok(mut events) =
                    Events::open(addresses[i], &path, last_id.as_deref(), SILENCE_LIMIT)
                else {
                    continue;
                };
                while let Ok(event) = events.next(SILENCE_LIMIT) {
                    if stop.load(Ordering::Acquire) {
                        return;
                    }
                    let mut seen = seen.lock().expect("no panic");
                    take(&mut seen, &event, last_id.is_some());
                    last_index.store(index_of(&event.id) as usize, Ordering::Release);
                    last_id = Some(event.id);
                }
                seen.lock().expect("no panic").resumptions += 1;
            }
        });
        Watcher {
            seen,
            last_index,
            watches,
            stop,
            thread,
        }
    }

    fn seen(&self) -> usize {
        self.seen.lock().expect("no panic").changes.len()
    }

    fn last_index(&self) -> u64 {
        self.last_index.load(Ordering::Acquire) as u64
    }

    /// Returns the position of the node that is being watched.
    fn watches(&self) -> usize {
        self.watches.load(Ordering::Acquire)
    }

    fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Release);
        self.thread.join().expect("it saw only what it may see");
        std::mem::take(&mut *self.seen.lock().expect("no panic"))
    }
}

/// Applies an event to the state. Panics if a change arrives twice or out of order.
fn take(seen: &mut Seen, event: &Event, resumed: bool) {
    let index = index_of(&event.id);
    let services = |name: &str| event.data[name].as_array().cloned().unwrap_or_default();
    match event.name.as_deref() {
        Some("state" | "reset") => {
            seen.resets += usize::from(resumed);
            seen.held = services("services").into_iter().map(by_node).collect();
            seen.first = index;
        }
        Some("change") => {
            let last = seen.changes.last().copied().unwrap_or(seen.first);
            assert!(index > last, "{index} came after {last}");
            seen.changes.push(index);
            for gone in services("removed") {
                seen.held.remove(&by_node(gone).0);
            }
            seen.held
                .extend(services("services").into_iter().map(by_node));
        }
        None | Some("end") => {}
        Some(other) => panic!("an event {other}"),
    }
}

/// Clients that change the watched type through all nodes until they are stopped.
struct Writers {
    acked: Arc<AtomicUsize>,
    last_index: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Writers {
    fn start(addresses: &[SocketAddr]) -> Writers {
        let mut writers = Writers {
            acked: Arc::default(),
            last_index: Arc::default(),
            stop: Arc::default(),
            threads: Vec::new(),
        };
        for writer in 0..addresses.len() {
            let (acked, last_index, stop) = (
                writers.acked.clone(),
                writers.last_index.clone(),
                writers.stop.clone(),
            );
            let addresses = addresses.to_vec();
            writers.threads.push(std::thread::spawn(move || {
                for token in 0u64.. {
                    if stop.load(Ordering::Acquire) {
                        return;
                    }
                    let to = addresses[(writer + token as usize / 50) % addresses.len()];
                    match write(to, writer, token) {
                        Write::Acked(index) => {
                            last_index.fetch_max(index as usize, Ordering::AcqRel);
                            acked.fetch_add(1, Ordering::AcqRel);
                        }
                        Write::NotApplied(_) | Write::Unknown(_) => {
                            crate::support::let_pass(Duration::from_millis(5));
                        }
                    }
                }
            }));
        }
        writers
    }

    fn acked(&self) -> usize {
        self.acked.load(Ordering::Acquire)
    }

    /// Stops the writers and returns the index of the last acknowledged change.
    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Release);
        for thread in self.threads {
            thread.join().expect("a writer does not panic");
        }
        self.last_index.load(Ordering::Acquire) as u64
    }
}

/// Sends a writer's next request: an announcement, or for every seventh token a withdrawal.
fn write(to: SocketAddr, writer: usize, token: u64) -> Write {
    use crate::support::node::{announcement, announcement_path, write_of};
    let node_id = format!("w{writer}-{}", token % IDS_PER_WRITER);
    let path = announcement_path(&node_id);
    let body = announcement(KIND, &node_id, token);
    write_of(match token % 7 {
        6 => crate::support::http::request(to, "DELETE", &path, None, PATIENCE),
        _ => crate::support::http::request(to, "PUT", &path, Some(&body), PATIENCE),
    })
}

/// A reader that moves to a restarted node misses no change. The node sends the missed changes if
/// it has them in memory, otherwise the whole state. After a restart, a node has no changes in
/// memory from before its snapshot.
#[test]
fn a_restarted_node_takes_readers_up() {
    let mut cluster = Cluster::start(3, Options::max_age("10m"));
    let path = format!("/v1/watch/{KIND}");
    let mut events =
        Events::open(cluster.nodes[0].address(), &path, None, PATIENCE).expect("a stream");
    let state = events.named(PATIENCE).expect("a state");
    assert_eq!(state.name.as_deref(), Some("state"));
    let index = cluster.nodes[1].announce_acked(KIND, "w1", 1);
    let change = events.named(PATIENCE).expect("a change");
    assert_eq!(index_of(&change.id), index);
    let missed = cluster.nodes[1].announce_acked(KIND, "w1", 2);
    cluster.nodes[0].kill9();
    cluster.nodes[0].start();
    cluster.nodes[0].wait_ready(FORM_LIMIT);
    let began = clock::now();
    let mut events = Events::open(
        cluster.nodes[0].address(),
        &path,
        Some(&change.id),
        PATIENCE,
    )
    .expect("a stream");
    let next = events.named(PATIENCE).expect("an event");
    assert!(began.elapsed() < PATIENCE);
    match next.name.as_deref() {
        Some("change") => assert_eq!(index_of(&next.id), missed),
        Some("reset") => assert!(index_of(&next.id) >= missed),
        other => panic!("{other:?}"),
    }
    assert_eq!(next.data["services"][0]["properties"]["token"], "2");
}
