//! Writes one node id as two clients through different nodes, and proves which write arrived first.

use super::engines_secret::send_as_engine;
use super::http::{self, Pending};
use crate::support::node::{PATIENCE, Write, announcement, announcement_path, write_of};
use crate::support::wait::let_pass;
use quorate_checker::history::{Input, Operation, RequestOutcome};
use std::net::SocketAddr;
use std::time::Duration;

/// Timeout of a stale lookup. A running node answers it at once, even if it cannot reach the other
/// nodes.
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);

/// A write that one of the two clients is about to send.
pub struct Ask<'a> {
    pub client: u32,
    /// The number of the server, and its address.
    pub server: (u32, SocketAddr),
    pub input: Input,
    /// Returns the current time of the clock that the history uses.
    pub now_ns: &'a dyn Fn() -> u64,
}

/// A write that was sent and may not be answered yet.
pub struct Underway<'a> {
    ask: Ask<'a>,
    call_ns: u64,
    arrived_ns: Option<u64>,
    sent: Result<Pending, std::io::Error>,
}

impl<'a> Ask<'a> {
    /// Sends the write.
    pub fn send(self) -> Underway<'a> {
        let call_ns = (self.now_ns)();
        let (method, path, body) = request_of(&self.input);
        let address = self.server.1;
        let sent = send_as_engine(address, method, &path, body.as_deref(), PATIENCE);
        Underway {
            ask: self,
            call_ns,
            arrived_ns: None,
            sent,
        }
    }
}

impl Underway<'_> {
    /// Waits for proof that the node has received the write. Sends a later request after a pause.
    /// If the node answers the later request, the node has received the write too. The pause is far
    /// longer than the time for which the operating system may delay a thread that is ready to run.
    ///
    /// The time of arrival stays unknown if the node does not answer the later request, or has
    /// already answered the write.
    pub fn prove_arrival(&mut self, pause: Duration) {
        let Ok(pending) = &self.sent else { return };
        let_pass(pause);
        let path = "/v1/service?consistency=stale";
        let asked = http::request(self.ask.server.1, "GET", path, None, ANSWERS_WITHIN);
        let has_answered = asked.is_ok_and(|answer| answer.status == 200);
        if has_answered && pending.is_silent() {
            self.arrived_ns = Some((self.ask.now_ns)());
        }
    }

    /// Waits for the answer, and returns the write as an operation of a history.
    pub fn answer(self) -> Operation {
        let written = write_of(self.sent.and_then(Pending::answer));
        let return_ns = Some((self.ask.now_ns)());
        let (outcome, index) = outcome_of(&written);
        Operation {
            client: self.ask.client,
            server: self.ask.server.0,
            call_ns: self.call_ns,
            arrived_ns: self.arrived_ns,
            return_ns,
            input: self.ask.input,
            outcome,
            index,
        }
    }
}

/// Converts the outcome of a write to the outcome, and the log index, that a history records.
pub fn outcome_of(written: &Write) -> (RequestOutcome, Option<u64>) {
    match written {
        Write::Acked(index) => (RequestOutcome::Acked, Some(*index)),
        Write::NotApplied(_) => (RequestOutcome::Refused, None),
        Write::Unknown(_) => (RequestOutcome::Unknown, None),
    }
}

/// Returns the HTTP request for an operation: its method, path and body.
pub fn request_of(input: &Input) -> (&'static str, String, Option<String>) {
    match input {
        Input::Announce {
            node, types, token, ..
        } => (
            "PUT",
            announcement_path(node),
            Some(announcement(&types[0], node, *token)),
        ),
        Input::Withdraw { node } => ("DELETE", announcement_path(node), None),
        Input::Lookup { service_type, pool } => {
            let parts = [service_type, pool].into_iter().flatten();
            let path = parts.fold("/v1/service".to_owned(), |path, part| {
                format!("{path}/{part}")
            });
            ("GET", path, None)
        }
    }
}
