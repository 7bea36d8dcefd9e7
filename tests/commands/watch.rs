//! Tests of `quorate watch`, which prints one line for each event. The command reads from one
//! server after another until the reader of its output closes the pipe.

use crate::fake_server::{FakeServer, broken_stream, stream};
use crate::process::{Followed, TIME_LIMIT, quorate};
use crate::wait::until;
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Mutex;

const STATE: &str =
    "event: state\nid: 5f0c:7\ndata: {\"environment\":\"test\",\"services\":[]}\n\n";

/// Events are printed as they arrive. When a server breaks off in the middle of an event, the next
/// server is asked for the events after the last complete event. Ctrl-C ends the command at once.
#[test]
fn events_are_printed_across_servers() {
    let first = FakeServer::start(|_, _| {
        broken_stream(&format!(
            "{STATE}event: change\nid: 5f0c:8\ndata: {{\"removed\":[],\"services\":[1]}}\n\n\
             event: change\nid: 5f0c:9\nda"
        ))
    });
    let (to_second, reply) = stream();
    let reply = Mutex::new(Some(reply));
    let second =
        FakeServer::start(move |_, _| reply.lock().expect("no panic").take().expect("one stream"));
    let servers = [first.url(), second.url()];
    let servers = servers.each_ref().map(String::as_str);
    let watch = Followed::start(&mut quorate(&["watch", "trino", "general"], &servers));
    assert_eq!(
        watch.line(),
        r#"{"event":"state","id":"5f0c:7","data":{"environment":"test","services":[]}}"#
    );
    assert_eq!(
        watch.line(),
        r#"{"event":"change","id":"5f0c:8","data":{"removed":[],"services":[1]}}"#
    );
    let asked = second.wait_for_requests(1);
    assert_eq!(asked[0].target, "/v1/watch/trino/general");
    assert_eq!(asked[0].headers["last-event-id"], "5f0c:8");
    assert_eq!(asked[0].headers["accept"], "text/event-stream");
    to_second
        .send("event: reset\nid: 77aa:1\ndata: {\"services\":[]}\n\n".to_owned())
        .expect("room");
    assert_eq!(
        watch.line(),
        r#"{"event":"reset","id":"77aa:1","data":{"services":[]}}"#
    );
    let (status, rest) = watch.end_by(Signal::INT);
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()));
    assert_eq!(rest, [""; 0]);
}

/// When the reader closes the pipe, the command ends without an error, even if no further event
/// arrives.
#[test]
fn a_closed_pipe_ends_it() {
    let (to_server, reply) = stream();
    to_server.send(STATE.to_owned()).expect("room");
    let reply = Mutex::new(Some(reply));
    let server =
        FakeServer::start(move |_, _| reply.lock().expect("no panic").take().expect("one stream"));
    let mut child = quorate(&["watch", "trino"], &[&server.url()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    out.read_line(&mut line).expect("a line");
    assert!(line.starts_with(r#"{"event":"state""#), "{line}");
    drop(out);
    let status = until("it ends", TIME_LIMIT, || child.try_wait().expect("a child"));
    assert_eq!(status.code(), Some(0));
    let mut stderr = String::new();
    let mut pipe = child.stderr.take().expect("a pipe");
    pipe.read_to_string(&mut stderr).expect("text");
    assert_eq!(stderr, "");
}
