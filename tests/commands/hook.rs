//! Tests of `quorate coordinator --exec`, which runs a command for a coordinator.

use crate::coordinator::{C1, C2, C3, is};
use crate::fake_server::{FakeServer, stream};
use crate::process::{EndedCommand, Followed, quorate, run};
use std::sync::Mutex;
use std::sync::mpsc::SyncSender;

const ECHO: &str =
    "echo \"$QUORATE_COORDINATOR $QUORATE_COORDINATOR_NODE $QUORATE_COORDINATOR_ENGINE\"";

/// Without `--watch`, the command of `--exec` runs once, with the address in its environment. Only
/// the command writes to standard output, and `quorate` exits with the command's exit code. The
/// variable of the node is empty for a static coordinator, which has no node. This holds even if
/// the environment of `quorate` had a value for the variable.
#[test]
fn a_command_runs_once() {
    let expected = |stdout: &str| EndedCommand {
        code: Some(7),
        stdout: stdout.to_owned(),
        stderr: String::new(),
    };
    let command = format!("{ECHO}; exit 7");
    let words = ["coordinator", "--exec", &command];
    let server = FakeServer::saying(200, C1);
    let ended = run(&mut quorate(&words, &[&server.url()]));
    assert_eq!(ended, expected("http://10.0.0.5:8080 c1 trino\n"));

    let server = FakeServer::saying(200, C3);
    let mut command = quorate(&words, &[&server.url()]);
    let ended = run(command.env("QUORATE_COORDINATOR_NODE", "old"));
    assert_eq!(ended, expected("http://10.0.0.7:8080  presto\n"));

    let server = FakeServer::saying(200, C1);
    let words = ["coordinator", "--exec", "kill -TERM $$"];
    let ended = run(&mut quorate(&words, &[&server.url()]));
    assert_eq!(ended.code, Some(128 + 15));
}

/// Returns a server that answers its first `count` requests with streams, and a sender for each
/// stream.
fn server_of_streams(count: usize) -> (FakeServer, Vec<SyncSender<String>>) {
    let (senders, replies): (Vec<_>, Vec<_>) = (0..count).map(|_| stream()).unzip();
    let replies = Mutex::new(replies.into_iter());
    let server = FakeServer::start(move |_, _| {
        let next = replies.lock().expect("no panic").next();
        next.expect("a stream is left")
    });
    (server, senders)
}

/// With `--watch`, the command runs for each new coordinator, one run at a time. If several
/// coordinators arrive during a run, only the newest gets a run. A failed run is reported and does
/// not end the watch.
#[test]
fn a_command_runs_for_each_new_coordinator() {
    let dir = tempfile::tempdir().expect("a directory");
    let fifo = dir.path().join("go");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .expect("a pipe with a name");
    let (server, mut streams) = server_of_streams(2);
    // Each run waits until the test writes one word to the FIFO.
    let command = format!(
        "{ECHO}; read go < '{}'; test \"$go\" = well",
        fifo.display()
    );
    let words = ["coordinator", "--watch", "--exec", &command];
    let watch = Followed::start(&mut quorate(&words, &[&server.url()]));
    let let_end = |word: &str| std::fs::write(&fifo, format!("{word}\n")).expect("it reads");

    let second = streams.pop().expect("two");
    let first = streams.pop().expect("two");
    first.send(is(1, C1)).expect("room");
    assert_eq!(watch.line(), "http://10.0.0.5:8080 c1 trino");
    first.send(is(2, C2)).expect("room");
    first.send(is(3, C3)).expect("room");
    // The client requests the second stream only after it has processed everything that was sent on
    // the first.
    drop(first);
    server.wait_for_requests(2);
    let_end("badly");
    assert_eq!(watch.notice(), "--exec: exit status: 1");
    assert_eq!(watch.line(), "http://10.0.0.7:8080  presto", "C2 is past");
    let_end("well");

    second.send(is(3, C3)).expect("room");
    second.send(is(4, C1)).expect("room");
    assert_eq!(watch.line(), "http://10.0.0.5:8080 c1 trino");
    let_end("well");
}
