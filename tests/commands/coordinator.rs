//! Tests of `quorate coordinator`, which prints a single answer, or with `--watch` every answer as
//! it arrives.

use crate::fake_server::{FakeServer, Reply, stream};
use crate::process::{EndedCommand, Followed, quorate, run};
use quorate::config::exit_code;
use rustix::process::Signal;

pub const C1: &str = concat!(
    r#"{"uri":"http://10.0.0.5:8080","engine":"trino","nodeId":"c1","pool":"general","#,
    r#""location":"/c1","joinedIndex":1200,"properties":{}}"#
);
pub const C2: &str = r#"{"uri":"http://10.0.0.6:8080","engine":"trino","nodeId":"c2"}"#;
pub const C3: &str = r#"{"uri":"http://10.0.0.7:8080","engine":"presto"}"#;

/// Returns the event that announces a coordinator.
pub fn is(id: u64, json: &str) -> String {
    format!("event: coordinator\nid: 5f0c:{id}\ndata: {json}\n\n")
}

fn printed(stdout: &str) -> EndedCommand {
    EndedCommand {
        code: Some(0),
        stdout: stdout.to_owned(),
        stderr: String::new(),
    }
}

/// Only the address of the coordinator is printed, from the first server that has one. `--json`
/// prints the whole answer. The command's parameters are passed on to the server. The servers may
/// come from the environment.
#[test]
fn the_address_is_printed_alone() {
    let busy = FakeServer::saying(503, "no majority is reached\n");
    let well = FakeServer::saying(200, C1);
    let servers = [busy.url(), well.url()];
    let servers = servers.each_ref().map(String::as_str);
    let once = run(&mut quorate(
        &["coordinator", "--engine", "trino", "--pool", "a b"],
        &servers,
    ));
    assert_eq!(once, printed("http://10.0.0.5:8080\n"));
    let json = run(&mut quorate(&["coordinator", "--json"], &servers));
    assert_eq!(json, printed(&format!("{C1}\n")));
    let mut command = quorate(&["coordinator"], &[]);
    let by_environment = run(command.env("QUORATE_SERVERS", servers.join(",")));
    assert_eq!(by_environment, printed("http://10.0.0.5:8080\n"));

    let asked = well.requests();
    assert_eq!(asked[0].target, "/v1/coordinator?engine=trino&pool=a+b");
    assert_eq!(asked[0].headers["accept"], "application/json");
    assert_eq!(asked.len(), 3);
    assert_eq!(busy.requests().len(), 3);
}

/// With `--all`, each coordinator has its own line, and the best coordinator has the first line.
#[test]
fn all_addresses_are_printed() {
    let server = FakeServer::start(|_, request| {
        assert_eq!(request.target, "/v1/coordinator?all");
        Reply::Text(200, format!(r#"{{"coordinators":[{C2},{C1}]}}"#))
    });
    let all = run(&mut quorate(&["coordinator", "--all"], &[&server.url()]));
    assert_eq!(all, printed("http://10.0.0.6:8080\nhttp://10.0.0.5:8080\n"));
}

/// If no server answers in time, standard error has a line for each server, and standard output is
/// empty. A request that no server supports fails at once.
#[test]
fn no_answer_is_explained() {
    let none = FakeServer::saying(503, "no node announces a coordinator\n");
    let silent = FakeServer::start(|_, _| Reply::Silence);
    let late = run(&mut quorate(
        &["coordinator", "--timeout", "2s"],
        &[&none.url(), &silent.url()],
    ));
    assert_eq!(late.code, Some(exit_code::NOT_READY.into()));
    assert_eq!(late.stdout, "");
    let expected = format!(
        "ERROR: {}: no node announces a coordinator\nERROR: {}: no answer within ",
        none.url(),
        silent.url()
    );
    assert!(late.stderr.starts_with(&expected), "{}", late.stderr);

    let unexpected = FakeServer::saying(404, "");
    let refused = run(&mut quorate(&["coordinator"], &[&unexpected.url()]));
    assert_eq!(refused.code, Some(exit_code::USAGE.into()));
    assert_eq!(
        refused.stderr,
        format!(
            "ERROR: {}: answered 404 Not Found: is it a quorate server?\n",
            unexpected.url()
        )
    );
    assert_eq!(unexpected.requests().len(), 1);
}

/// With `--watch`, the present coordinator and each new one are printed. Interruptions are reported
/// on standard error. A coordinator that the command already knows is not printed again when a new
/// server repeats it. While no server answers, output goes only to standard error.
#[test]
fn each_new_coordinator_is_printed() {
    let (to_first, reply) = stream();
    let replies = std::sync::Mutex::new(Some(reply));
    let first = FakeServer::start(move |_, _| match replies.lock().expect("no panic").take() {
        Some(reply) => reply,
        None => Reply::Text(503, "stopping\n".to_owned()),
    });
    let (to_second, reply) = stream();
    let replies = std::sync::Mutex::new(Some(reply));
    let second = FakeServer::start(move |number, request| {
        assert_eq!(request.target, "/v1/coordinator?watch");
        match number {
            0 => Reply::Text(503, "no quorum\n".to_owned()),
            _ => replies
                .lock()
                .expect("no panic")
                .take()
                .expect("one stream"),
        }
    });
    let servers = [first.url(), second.url()];
    let servers = servers.each_ref().map(String::as_str);
    let watch = Followed::start(&mut quorate(&["coordinator", "--watch"], &servers));

    to_first.send(is(7, C1)).expect("room");
    assert_eq!(watch.line(), "http://10.0.0.5:8080");
    let none = "event: none\nid: 5f0c:8\ndata: {\"reason\":\"none is announced\"}\n\n";
    to_first.send(none.to_owned()).expect("room");
    assert_eq!(watch.notice(), "none is announced");
    to_first.send(is(9, C2)).expect("room");
    assert_eq!(watch.line(), "http://10.0.0.6:8080");

    drop(to_first);
    let lost = watch.notice();
    assert!(lost.starts_with("no server answers, retrying: "), "{lost}");
    assert!(lost.contains("no quorum"), "{lost}");
    assert_eq!(watch.notice(), format!("connected to {}", second.url()));
    to_second.send(is(9, C2) + &is(10, C3)).expect("room");
    assert_eq!(watch.line(), "http://10.0.0.7:8080", "C2 is known");

    let (status, rest) = watch.end_by(Signal::INT);
    assert!(!status.success());
    assert_eq!(rest, [""; 0]);
}
