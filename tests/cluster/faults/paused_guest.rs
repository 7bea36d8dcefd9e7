//! Tests of a paused virtual machine (the guest). The clocks of the guest stop, and the rest of the
//! cluster continues.

use crate::support::http;
use crate::support::node::{PATIENCE, announcement, announcement_path};
use crate::support::stopped_clock::{Pause, Stopped, StoppedClock};
use crate::support::{Cluster, Options, Write, let_pass, until};
use quorate::clock::{self, PauseDetector};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Write as _, stdin};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Duration of the guest's pause. It is longer than a client's timeout, and longer than any
/// election.
const PAUSE: Duration = Duration::from_secs(8);
/// Duration of a short pause. It is longer than one second, because a process detects only longer
/// pauses than that.
const SHORT_PAUSE: Duration = Duration::from_millis(2_500);
/// Time within which a process checks at least once whether it was stopped.
const CHECKS_WITHIN: Duration = Duration::from_millis(500);
const GOES_ON_WITHIN: Duration = Duration::from_secs(10);
/// The environment variable that is set in the process that prints its clocks.
const STOPPED_CLOCK: &str = "STOPPED_CLOCK";

/// Writes that waited unread in the sockets of a paused guest overwrite no newer write, even if
/// CLOCK_MONOTONIC stopped during the pause.
#[test]
fn old_writes_of_a_guest_come_over_nothing() {
    old_writes_come_over_nothing(Stopped::Monotonic);
}

/// Writes that waited unread in the sockets of a paused guest overwrite no newer write. This holds
/// even if CLOCK_BOOTTIME stopped too, and no clock of the guest shows the pause.
#[test]
fn old_writes_of_a_guest_without_any_clock_come_over_nothing() {
    old_writes_come_over_nothing(Stopped::Both);
}

/// Pauses a follower and then the leader, each as a guest whose clocks stop.
fn old_writes_come_over_nothing(stopped: Stopped) {
    let mut cluster = Cluster::prepare(3, Options::max_age("10m"));
    let nodes = cluster.nodes.iter_mut();
    let mut clocks: Vec<StoppedClock> = nodes.map(StoppedClock::of).collect();
    cluster.start_all();
    cluster.wait_serving();
    cluster.wait_ordered();
    let leader = cluster.leader();
    for guest in [cluster.others(leader)[0], leader] {
        one_pause(&cluster, &mut clocks[guest], guest, stopped);
    }
}

/// Checks that old writes of a paused guest undo no newer writes. The old writes wait unread in the
/// guest's sockets. The newer writes go through another node during the pause.
fn one_pause(cluster: &Cluster, clock: &mut StoppedClock, guest: usize, stopped: Stopped) {
    let awake = cluster.others(guest)[0];
    for node_id in ["changed", "left", "kept"] {
        cluster.nodes[awake].withdraw(node_id);
        cluster.nodes[awake].announce_acked("paused", node_id, 1);
    }
    until("the guest has them", GOES_ON_WITHIN, || {
        (cluster.nodes[guest].tokens("paused")?.len() == 3).then_some(())
    });

    cluster.nodes[guest].pause();
    let pause = Pause::of(cluster.nodes[guest].pid());
    let to = cluster.nodes[guest].address();
    let unread = [
        put(to, "changed", 1),
        put(to, "changed", 3),
        put(to, "left", 1),
        put(to, "left", 3),
        delete(to, "kept"),
    ];
    let awake = &cluster.nodes[awake];
    taken("the newer announcement", || {
        awake.announce("paused", "changed", 2)
    });
    taken("the withdrawal", || awake.withdraw("left"));
    taken("the renewal", || awake.announce("paused", "kept", 1));
    let_pass(PAUSE.saturating_sub(pause.lasted()));
    clock.take_out(&pause, stopped);
    cluster.nodes[guest].resume();

    let answers: Vec<_> = unread.into_iter().map(http::Pending::answer).collect();
    cluster.nodes[guest].wait_ready(GOES_ON_WITHIN);
    for node in &cluster.nodes {
        let seen = until("each node serves again", GOES_ON_WITHIN, || {
            node.tokens("paused")
        });
        let seen: Vec<(&str, u64)> = seen.iter().map(|(id, token)| (&**id, *token)).collect();
        assert_eq!(
            seen,
            [("changed", 2), ("kept", 1)],
            "{}: an old write took effect after a later one was acknowledged: {answers:?}",
            node.etc.node_id
        );
    }
    // After the pause, the guest accepts new requests, because its clocks measure the age of these
    // requests correctly.
    let guest = &cluster.nodes[guest];
    taken("a new announcement", || {
        guest.announce("paused", "changed", 4)
    });
    taken("a new withdrawal", || guest.withdraw("kept"));
}

fn put(to: SocketAddr, node_id: &str, token: u64) -> http::Pending {
    let body = announcement("paused", node_id, token);
    send(to, "PUT", node_id, Some(&body))
}

fn delete(to: SocketAddr, node_id: &str) -> http::Pending {
    send(to, "DELETE", node_id, None)
}

fn send(to: SocketAddr, method: &str, node_id: &str, body: Option<&str>) -> http::Pending {
    let path = announcement_path(node_id);
    http::send(to, method, &path, body, PATIENCE).expect("the kernel takes it")
}

/// Repeats a write until it is acknowledged.
fn taken(what: &str, write: impl Fn() -> Write) {
    until(&format!("{what} is taken"), GOES_ON_WITHIN, || {
        matches!(write(), Write::Acked(_)).then_some(())
    });
}

/// The tests can stop the clocks that the product's clock module reads. A process that was stopped
/// for 2.5 s measures this time unless CLOCK_MONOTONIC stopped. The process detects the pause
/// unless CLOCK_BOOTTIME stopped too.
#[test]
fn the_clocks_of_the_product_can_be_stopped() {
    for stopped in [Stopped::Nothing, Stopped::Monotonic, Stopped::Both] {
        let dir = TempDir::new().expect("a temporary directory");
        let (mut clock, environment) = StoppedClock::in_dir(dir.path());
        let mut shown = Shown::start(&environment);
        let before = shown.now();
        shown.signal(Signal::STOP);
        let pause = Pause::of(shown.process.id());
        let_pass(SHORT_PAUSE);
        clock.take_out(&pause, stopped);
        shown.signal(Signal::CONT);
        let_pass(CHECKS_WITHIN);
        let after = shown.now();
        let has_slept = after.0 - before.0 > SHORT_PAUSE;
        let pauses = after.1 - before.1;
        println!(
            "{stopped:?}: {:?} by its clock, {pauses} pauses",
            after.0 - before.0
        );
        assert_eq!(
            has_slept,
            stopped == Stopped::Nothing,
            "{stopped:?}: CLOCK_MONOTONIC"
        );
        assert_eq!(
            pauses,
            u64::from(stopped != Stopped::Both),
            "{stopped:?}: CLOCK_BOOTTIME"
        );
    }
}

/// A process that prints the clocks of the product's clock module. The process runs
/// [`shows_its_clocks`] of this test program.
struct Shown {
    process: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Shown {
    fn start(environment: &[(&'static str, std::ffi::OsString)]) -> Shown {
        let program = std::env::current_exe().expect("a test has a program");
        let mut process = Command::new::<&Path>(&program)
            .args([
                "faults::paused_guest::shows_its_clocks",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .envs(environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let asks = process.stdin.take().expect("it is piped");
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        Shown {
            process,
            asks,
            answers,
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("a child can be signalled");
    }

    /// Returns the running time of the process by its monotonic clock, and the number of pauses
    /// that the process has detected.
    fn now(&mut self) -> (Duration, u64) {
        self.asks.write_all(b"\n").expect("it reads");
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.answers.read_line(&mut line).expect("it answers");
            assert!(read > 0, "it has ended");
            if let Some((_, numbers)) = line.split_once("clocks: ") {
                let mut numbers = numbers.split_whitespace().map(|n| n.parse::<u64>());
                let mut next = || numbers.next().and_then(Result::ok).expect("a number");
                return (Duration::from_millis(next()), next());
            }
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        // The process may already have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Prints the clocks once for each line of standard input. This function is not a test of its own.
/// [`the_clocks_of_the_product_can_be_stopped`] runs it in another process.
#[test]
#[ignore = "another test runs it"]
fn shows_its_clocks() {
    if std::env::var_os(STOPPED_CLOCK).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    let began = clock::now();
    let pause_detector = PauseDetector::start();
    for _ in stdin().lines() {
        println!(
            "clocks: {} {}",
            began.elapsed().as_millis(),
            pause_detector.epoch()
        );
    }
}
