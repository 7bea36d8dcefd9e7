//! Clients that write without pause and record when each write was acknowledged, and readers that
//! panic when a lookup lacks an acknowledged write.

use super::engine_tokens::TokenOf;
use super::engines_secret::{SECRET, token_line};
use super::http;
use crate::support::node::{
    PATIENCE, Tokens, Write, announcement, announcement_path, services, tokens_of, write_of,
};
use quorate::clock::{self, Instant};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Number of node ids that each writer announces in rotation.
const IDS_PER_WRITER: u64 = 20;
/// Pause after a rejection, similar to that of real clients.
const BACK_OFF: Duration = Duration::from_millis(5);

/// The record that all writers and readers share.
#[derive(Default)]
struct Record {
    /// The times of all acknowledgements, in ascending order.
    acks: Mutex<Vec<Instant>>,
    ack_count: AtomicUsize,
    served_count: AtomicUsize,
    /// For each node id, the last acknowledged token and the last sent one.
    tokens: Mutex<BTreeMap<String, (Option<u64>, u64)>>,
    stop: AtomicBool,
}

/// Clients that run in the background: writers, and readers that check every lookup.
pub struct Traffic {
    kind: String,
    record: Arc<Record>,
    threads: Vec<JoinHandle<()>>,
}

/// The record of the clients after they were stopped.
pub struct Done {
    acks: Vec<Instant>,
    tokens: BTreeMap<String, (Option<u64>, u64)>,
}

impl Traffic {
    /// Starts a writer for each address. The tokens that it announces for a node id only increase.
    pub fn start(kind: &str, to: &[SocketAddr]) -> Traffic {
        let record = Arc::new(Record::default());
        let writers = to
            .iter()
            .enumerate()
            .map(|(writer, address)| {
                let (record, kind, address) = (record.clone(), kind.to_owned(), *address);
                std::thread::spawn(move || write_until_stopped(&record, &kind, writer, address))
            })
            .collect();
        Traffic {
            kind: kind.to_owned(),
            record,
            threads: writers,
        }
    }

    /// Adds a reader for each address. It panics when a served lookup lacks a write that was
    /// acknowledged before the lookup was sent.
    pub fn read_from(&mut self, addresses: &[SocketAddr]) {
        for address in addresses {
            let (record, kind, address) = (self.record.clone(), self.kind.clone(), *address);
            let read = move || read_until_stopped(&record, &kind, address);
            self.threads.push(std::thread::spawn(read));
        }
    }

    /// Returns the number of served lookups so far.
    pub fn served(&self) -> usize {
        self.record.served_count.load(Ordering::Acquire)
    }

    /// Returns the number of acknowledged writes so far.
    pub fn acked(&self) -> usize {
        self.record.ack_count.load(Ordering::Acquire)
    }

    /// Stops the clients, waits for the writes in flight, and returns the record.
    pub fn stop(mut self) -> Done {
        self.record.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            thread.join().expect("a client saw only what it may see");
        }
        let acks = std::mem::take(&mut *self.record.acks.lock().expect("no writer panicked"));
        let tokens = std::mem::take(&mut *self.record.tokens.lock().expect("no writer panicked"));
        Done { acks, tokens }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.record.stop.store(true, Ordering::Release);
    }
}

impl Done {
    /// Returns the total number of acknowledged writes.
    pub fn acked(&self) -> usize {
        self.acks.len()
    }

    /// Returns the longest time between two consecutive acknowledgements, of which the second came
    /// after `from`.
    pub fn longest_gap(&self, from: Instant) -> Duration {
        let first = self
            .acks
            .partition_point(|ack| *ack < from)
            .saturating_sub(1);
        self.acks[first..]
            .windows(2)
            .map(|two| two[1] - two[0])
            .max()
            .unwrap_or(Duration::MAX)
    }

    /// Panics unless every node shows each node id with its last acknowledged token, or with a
    /// later token that was sent. Also panics unless all nodes show the same tokens.
    pub fn assert_nothing_lost_anywhere(&self, seen: &[Tokens]) {
        for (i, seen) in seen.iter().enumerate() {
            self.assert_nothing_lost(seen, &format!("running node {i}"));
        }
        assert!(
            seen.windows(2).all(|two| two[0] == two[1]),
            "the nodes differ: {seen:?}"
        );
    }

    /// Panics unless each node id has its last acknowledged token in `seen`, or a later token that
    /// was sent. `by` describes the source of `seen` in the message.
    pub fn assert_nothing_lost(&self, seen: &Tokens, by: &str) {
        let acked: Vec<_> = acknowledged(&self.tokens).collect();
        assert_shows(seen, &acked, by);
        for (node_id, token) in seen {
            let sent = self.tokens.get(node_id).map_or(0, |(_, sent)| *sent);
            assert!(
                *token <= sent,
                "{by} shows {node_id} with token {token}, never sent"
            );
        }
    }
}

fn acknowledged(
    tokens: &BTreeMap<String, (Option<u64>, u64)>,
) -> impl Iterator<Item = (String, u64)> {
    tokens
        .iter()
        .filter_map(|(node_id, (acked, _))| Some((node_id.clone(), (*acked)?)))
}

fn assert_shows(seen: &Tokens, acked: &[(String, u64)], by: &str) {
    for (node_id, acked) in acked {
        match seen.get(node_id) {
            None => panic!("{by} lacks {node_id}, acknowledged with token {acked}"),
            Some(token) => assert!(
                token >= acked,
                "{by} shows {node_id} with token {token}: {acked} was acknowledged before"
            ),
        }
    }
}

/// Looks up without pause and panics if an acknowledged write is missing. Each lookup has the token
/// of an engine, which nodes without the secret of the engines ignore.
fn read_until_stopped(record: &Record, kind: &str, address: SocketAddr) {
    let path = format!("/v1/service/{kind}/general");
    while !record.stop.load(Ordering::Acquire) {
        let acked: Vec<_> =
            acknowledged(&record.tokens.lock().expect("no writer panicked")).collect();
        let headers = token_line(TokenOf::Presto, SECRET, "reader");
        let sent = http::send_with(address, "GET", &path, &headers, None, PATIENCE);
        let answer = sent.and_then(http::Pending::answer);
        match answer.as_ref().ok().and_then(services) {
            Some(services) => {
                assert_shows(
                    &tokens_of(&services),
                    &acked,
                    &format!("a lookup at {address}"),
                );
                record.served_count.fetch_add(1, Ordering::Release);
            }
            None => crate::support::let_pass(BACK_OFF),
        }
    }
}

/// Announces a writer's node ids in rotation, without pause. Each announcement has the token of an
/// engine, which nodes without the secret of the engines ignore.
fn write_until_stopped(record: &Record, kind: &str, writer: usize, address: SocketAddr) {
    let mut token = 0;
    while !record.stop.load(Ordering::Acquire) {
        token += 1;
        let node_id = format!("writer-{writer}-{}", token % IDS_PER_WRITER);
        record
            .tokens
            .lock()
            .expect("no writer panicked")
            .entry(node_id.clone())
            .or_default()
            .1 = token;
        let body = announcement(kind, &node_id, token);
        let headers = token_line(TokenOf::Presto, SECRET, &node_id);
        let sent = http::send_with(
            address,
            "PUT",
            &announcement_path(&node_id),
            &headers,
            Some(&body),
            PATIENCE,
        );
        let outcome = write_of(sent.and_then(http::Pending::answer));
        if let Write::Acked(_) = outcome {
            record
                .acks
                .lock()
                .expect("no writer panicked")
                .push(clock::now());
            record
                .tokens
                .lock()
                .expect("no writer panicked")
                .entry(node_id)
                .or_default()
                .0 = Some(token);
            record.ack_count.fetch_add(1, Ordering::Release);
        } else {
            crate::support::let_pass(BACK_OFF);
        }
    }
}
