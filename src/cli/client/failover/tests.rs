//! Tests of failover between servers that refuse, give wrong responses, and stay silent.

use super::*;
use crate::cli::client::error::exit_code_of;
use crate::cli::fake_server::{FakeServer, Reply};

/// Time limit where a response is expected; long enough on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

fn failover(servers: &[&FakeServer], timeouts: Timeouts) -> FailoverClient {
    let urls: Vec<String> = servers.iter().map(|server| server.url()).collect();
    FailoverClient::new(&urls, quorate::config::http_client_builder(), timeouts).expect("a client")
}

fn query() -> Query {
    Query::of(["v1", "coordinator"])
}

/// Accepts any text except "no".
fn read(text: &str) -> Result<String, String> {
    match text {
        "no" => Err("its answer is no".to_owned()),
        text => Ok(text.to_owned()),
    }
}

async fn ask(failover: &mut FailoverClient, limit: Duration) -> anyhow::Result<String> {
    failover.ask(&query(), limit, read).await
}

/// After a 503 the next server is asked at once, and the server that answered is asked first from
/// then on.
#[tokio::test]
async fn the_next_one_answers() {
    let busy = FakeServer::saying(503, "no quorum\n");
    let well = FakeServer::saying(200, "here");
    let timeouts = Timeouts {
        pause: LIMIT,
        ..Timeouts::default()
    };
    let mut failover = failover(&[&busy, &well], timeouts);
    for _ in 0..2 {
        assert_eq!(ask(&mut failover, LIMIT).await.expect("answers"), "here");
    }
    assert_eq!(busy.requests().len(), 1);
    assert_eq!(well.requests().len(), 2);
    assert_eq!(well.requests()[0].target, "/v1/coordinator");
}

/// A server that never answers uses up only its share of the time limit, and the next server still
/// answers.
#[tokio::test]
async fn a_silent_server_is_left() {
    let silent = FakeServer::start(|_, _| Reply::Silence);
    let well = FakeServer::saying(200, "here");
    let timeouts = Timeouts {
        answer: Duration::from_secs(1),
        ..Timeouts::default()
    };
    let mut failover = failover(&[&silent, &well], timeouts);
    assert_eq!(ask(&mut failover, LIMIT).await.expect("answers"), "here");
    assert_eq!(silent.requests().len(), 1);
    let error = failover.errors().join("\n");
    assert!(error.ends_with("no answer within 1.0 s"), "{error}");
}

/// An invalid request is sent to one server only, because every server would refuse it.
#[tokio::test]
async fn a_wrong_question_is_asked_once() {
    let first = FakeServer::saying(400, "engine: 'spark' is unknown\n");
    let second = FakeServer::saying(200, "here");
    let mut failover = failover(&[&first, &second], Timeouts::default());
    let error = ask(&mut failover, LIMIT).await.expect_err("refused");
    let expected = format!("{}: engine: 'spark' is unknown", first.url());
    assert_eq!(error.to_string(), expected);
    assert_eq!(exit_code_of(&error), 2);
    assert!(second.requests().is_empty());
}

/// Servers that do not know the endpoint, or whose response cannot be read, are skipped if another
/// server answers. If all servers fail in one of these two ways, the last error is returned.
#[tokio::test]
async fn strangers_are_passed_by() {
    let older = FakeServer::saying(404, "");
    let other = FakeServer::saying(200, "no");
    let well = FakeServer::saying(200, "here");
    let mut some = failover(&[&older, &other, &well], Timeouts::default());
    assert_eq!(ask(&mut some, LIMIT).await.expect("answers"), "here");

    let mut none = failover(&[&older, &other], Timeouts::default());
    let error = ask(&mut none, LIMIT).await.expect_err("refused");
    let expected = format!("{}: its answer is no: is it a quorate server?", other.url());
    assert_eq!(error.to_string(), expected);
    assert_eq!(exit_code_of(&error), 2);
}

/// After the time limit, the error has one line per server. The line quotes the server's message if
/// the server sent one.
#[tokio::test]
async fn each_says_why_it_did_not_answer() {
    let busy = FakeServer::saying(503, "no coordinator is announced\n");
    let gone = FakeServer::saying(200, "here");
    let gone_url = gone.url();
    let mut failover = failover(&[&busy, &gone], Timeouts::default());
    drop(gone);
    let error = ask(&mut failover, Duration::from_secs(2)).await;
    let Ok(CommandError::Unanswered(lines)) = error.expect_err("nobody answers").downcast() else {
        panic!("not the kind of error")
    };
    assert_eq!(
        lines,
        [
            format!("{}: no coordinator is announced", busy.url()),
            format!("{gone_url}: Connection refused (os error 111)"),
        ]
    );
    assert!(busy.requests().len() > 1, "it is asked again");
}

/// A server's earlier error is reported if a later request to it is cut short by the time limit.
#[tokio::test]
async fn an_explanation_outlives_a_cut() {
    let slow = FakeServer::start(|number, _| match number {
        0 => Reply::Text(503, "no majority is reached\n".to_owned()),
        _ => Reply::Silence,
    });
    let timeouts = Timeouts {
        pause: Duration::from_millis(5),
        ..Timeouts::default()
    };
    let mut failover = failover(&[&slow], timeouts);
    let error = ask(&mut failover, Duration::from_millis(1500)).await;
    let expected = format!("{}: no majority is reached", slow.url());
    assert_eq!(error.expect_err("nobody answers").to_string(), expected);
    assert_eq!(slow.requests().len(), 2);
}

/// A server that cannot answer yet is asked again until it can.
#[tokio::test]
async fn an_answer_that_comes_late_is_found() {
    let slow = FakeServer::start(|number, _| match number {
        0..3 => Reply::Text(503, "starting".to_owned()),
        _ => Reply::Text(200, "here".to_owned()),
    });
    let timeouts = Timeouts {
        pause: Duration::from_millis(5),
        ..Timeouts::default()
    };
    let mut failover = failover(&[&slow], timeouts);
    assert_eq!(ask(&mut failover, LIMIT).await.expect("answers"), "here");
}
