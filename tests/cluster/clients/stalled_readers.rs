//! Tests of HTTP/2 clients that keep their connections alive but do not read their answers.

use crate::support::http2::{DATA, Http2};
use crate::support::node::{Node, PATIENCE, announcement_path};
use crate::support::{Cluster, Options, http, until};
use quorate::clock::{self, Instant};
use serde_json::json;
use std::io::ErrorKind;
use std::time::Duration;

/// Maximum time for which a reader that receives nothing may stay connected.
const CUT_WITHIN: Duration = Duration::from_secs(30);
/// Number of answers that a reader requests. Each shows another state of the lookup, so that no two
/// answers share their bytes.
const ANSWERS: usize = 40;
const ANSWER_BYTES: usize = 900_000;
/// Maximum memory that may remain after the readers are disconnected. The answers take 36 MB.
const LEFT_LIMIT_KB: u64 = 15_000;
/// Maximum time until freed memory is returned to the system. The allocator returns it over some
/// seconds.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(30);
const PACE: Duration = Duration::from_secs(1);
const LOOKUP: &str = "/v1/service/large/general";
const WATCH: &str = "/v1/watch/presto/general";

/// Announces a large service whose contents differ for each number.
fn announce_large(node: &Node, nth: usize) {
    let body = json!({"environment": "test", "pool": "general", "location": "/large",
        "services": [{"id": "large", "type": "large",
            "properties": {"k": format!("{nth} {}", "x".repeat(ANSWER_BYTES))}}]});
    let path = announcement_path("large");
    let answer = http::request(
        node.address(),
        "PUT",
        &path,
        Some(&body.to_string()),
        PATIENCE,
    );
    assert_eq!(answer.expect("an answer").status, 202);
}

/// The way in which a reader treats its answers and keeps its connection alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Receives nothing, and sends a PING each second.
    Pings,
    /// Receives one byte of each stream per second.
    Trickles,
    /// Receives everything.
    Takes,
}

/// Reads in the given way until the connection ends or the limit is reached, and returns how long
/// the connection lasted.
fn read(mut client: Http2, reader: Reader, streams: &[u32], limit: Duration) -> Duration {
    let began = clock::now();
    while began.elapsed() < limit {
        let until_next = began.elapsed() + PACE;
        let sent = match reader {
            Reader::Pings => client.ping(),
            Reader::Trickles => streams
                .iter()
                .try_for_each(|stream| client.open_window(*stream, 1)),
            Reader::Takes => Ok(()),
        };
        if sent.is_err() || !is_alive(&mut client, reader, began, until_next) {
            break;
        }
    }
    began.elapsed()
}

/// Receives frames until the given time. A reader of kind `Takes` also reopens its flow-control
/// windows. Returns `false` if the connection ends.
fn is_alive(client: &mut Http2, reader: Reader, began: Instant, until: Duration) -> bool {
    loop {
        let left = until.saturating_sub(began.elapsed());
        if left.is_zero() {
            return true;
        }
        match client.next(left) {
            Ok(frame) if frame.kind == DATA && reader == Reader::Takes => {
                let bytes = frame.payload.len() as u32;
                if client.open_window(frame.stream, bytes).is_err()
                    || client.open_window(0, bytes).is_err()
                {
                    return false;
                }
            }
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::TimedOut,
        }
    }
}

/// An HTTP/2 client that receives nothing or almost nothing of its answers is disconnected, like an
/// HTTP/1 client. The node releases the memory of these answers. A client that reads everything
/// stays connected, even if its stream has few events.
#[test]
fn a_reader_over_http2_that_takes_nothing_is_cut() {
    let cluster = Cluster::start(3, Options::max_age("10m").quiet());
    let node = &cluster.nodes[0];
    announce_large(node, 0);
    announce_large(node, 1);
    let before_kb = node.resident_kb();
    let [mut stuck, mut trickling, mut deaf, mut well] = [0, 0, 0, 65_535]
        .map(|window| Http2::connect(node.address(), window).expect("the node listens"));
    let mut trickles = Vec::new();
    for nth in 0..ANSWERS {
        announce_large(node, nth);
        stuck.get(LOOKUP).expect("the node reads");
        trickles.push(trickling.get(LOOKUP).expect("the node reads"));
    }
    deaf.get(WATCH).expect("the node reads");
    well.get(WATCH).expect("the node reads");
    std::thread::scope(|scope| {
        let readers = [
            ("stuck", stuck, Reader::Pings),
            ("trickling", trickling, Reader::Trickles),
            ("deaf", deaf, Reader::Pings),
        ];
        let limit = CUT_WITHIN + Duration::from_secs(10);
        let trickles = &trickles;
        let cut = readers.map(|(name, client, reader)| {
            let lasted = scope.spawn(move || read(client, reader, trickles, limit));
            (name, lasted)
        });
        let well = scope.spawn(move || read(well, Reader::Takes, &[], limit));
        let most_kb = node.resident_kb().saturating_sub(before_kb);
        for (name, lasted) in cut {
            let lasted = lasted.join().expect("a reader");
            println!("{name}: cut after {lasted:?}");
            assert!(lasted <= CUT_WITHIN, "{name} was there for {lasted:?}");
        }
        println!("{most_kb} kB more at first");
        assert!(well.join().expect("a reader") >= limit, "who reads was cut");
    });
    until("the memory is given back", GIVEN_BACK_WITHIN, || {
        (node.resident_kb().saturating_sub(before_kb) <= LEFT_LIMIT_KB).then_some(())
    });
}
