//! Clients that announce, renew, withdraw and look up through the node of a host.

use crate::records::answers::{CLIENT_WAITS, Served, SimRequest, TOKENS, announcement};
use crate::records::history::TYPE;
use crate::rng::Chance;
use crate::settings::Planted;
use crate::world::{Phase, SimWorld, now};
use quorate::clock;
use quorate::model::Lookup;
use quorate::raft::{Node, WriteError};
use std::sync::Arc;
use std::time::Duration;

/// Number of clients per node. Half of them write, and the other half look up.
const CLIENTS: usize = 6;
/// The first token for the writes of the proof phase. The tokens of all workers are below this
/// token.
const PROOF_TOKENS: u64 = 1_000 * TOKENS;

/// Starts the clients of a host's process.
pub fn start(world: &Arc<SimWorld>, host: usize, process: u64, node: &Node) {
    for number in 0..CLIENTS {
        let chance = world.chance(&format!("client {number} of {host} {process}"));
        let client = SimClient {
            world: world.clone(),
            host,
            node: node.clone(),
            chance,
        };
        tokio::spawn(client.run(number % 2 == 0));
    }
}

/// A client of one host's process.
struct SimClient {
    world: Arc<SimWorld>,
    host: usize,
    node: Node,
    chance: Chance,
}

impl SimClient {
    /// Sends the requests of the current phase until the process ends.
    async fn run(mut self, writes: bool) {
        loop {
            tokio::time::sleep(self.chance.between_ms(20, 240)).await;
            let phase = self.world.phase();
            match (phase, writes) {
                (Phase::Rest, _) => {}
                (Phase::Faults, true) => self.write().await,
                (Phase::Faults, false) => {
                    let lookup = match self.chance.one_in(2) {
                        true => Lookup::All,
                        false => Lookup::Type(TYPE.to_owned()),
                    };
                    self.look(lookup, false).await;
                }
                (Phase::Proof, true) => self.prove().await,
                (Phase::Proof, false) => self.look(Lookup::Type(TYPE.to_owned()), true).await,
            }
        }
    }

    /// Sends a write, and records its result.
    async fn write(&mut self) {
        let max_age = self.world.settings.max_age;
        let requested = self
            .world
            .answers()
            .next_request(now(), max_age, &mut self.chance);
        let Some((worker, request)) = requested else {
            return;
        };
        let began = now();
        let mut underway = Underway {
            world: &self.world,
            worker,
            request: request.clone(),
            number: self.world.writes().begin(self.host, &request, began),
            decided: false,
        };
        let deadline = clock::now() + CLIENT_WAITS;
        let written = match &request {
            SimRequest::Announce(announcement) => {
                self.node.announce(announcement.clone(), deadline).await
            }
            SimRequest::Withdraw(node_id) => {
                self.node.withdraw(node_id.clone(), None, deadline).await
            }
        };
        underway.decided = true;
        let ended = now();
        self.world.writes().end(underway.number, &written, ended);
        let renews_after = max_age / 4 + self.chance.between_ms(0, max_age.as_millis() as u64 / 4);
        let tries_after = self.chance.between_ms(50, 500);
        let came_to = match &written {
            Ok(index) => format!("entry {index}"),
            Err(
                WriteError::NotApplied(_) | WriteError::Refused(_) | WriteError::NotPermitted(_),
            ) => "not applied".to_owned(),
            Err(WriteError::Unknown(_)) => "unknown".to_owned(),
        };
        let mut answers = self.world.answers();
        answers.note_time("a write", began, ended);
        match written {
            Ok(index) => answers.acknowledge(Some(worker), request, index, ended + renews_after),
            Err(
                WriteError::NotApplied(_) | WriteError::Refused(_) | WriteError::NotPermitted(_),
            ) => answers.fail(worker, &request, true, ended + tries_after),
            Err(WriteError::Unknown(_)) => {
                answers.fail(worker, &request, false, ended + tries_after)
            }
        }
        drop(answers);
        let about = underway.request.node_id();
        self.world.say(
            ended,
            format_args!("{} wrote {about}: {came_to}", self.host),
        );
    }

    /// Sends a lookup, and records its result.
    async fn look(&mut self, lookup: Lookup, proves: bool) {
        let floor = self.world.answers().floor();
        let began = now();
        let deadline = clock::now() + CLIENT_WAITS;
        let looked = match self.world.settings.planted {
            // The bug is planted only after a client has received an index. Before the first index,
            // the node may not be in a group yet, and may have no stale data to serve.
            Planted::StaleReads if floor > 0 => self.node.lookup_stale(&lookup),
            _ => self.node.lookup(&lookup, deadline).await,
        };
        let ended = now();
        let mut answers = self.world.answers();
        answers.note_time("a lookup", began, ended);
        let Ok(answer) = looked else {
            answers.refuse();
            return;
        };
        let index = answer.index;
        answers.serve(Served {
            host: self.host,
            lookup,
            index,
            tag: answer.rendered.tag().to_owned(),
            floor,
        });
        if proves {
            let body = String::from_utf8_lossy(answer.rendered.json()).into_owned();
            answers.prove_read(self.host, |host| body.contains(&format!("\"proof{host}\"")));
        }
        drop(answers);
        self.world
            .say(ended, format_args!("{} looked up {index}", self.host));
    }

    /// Sends the write of the proof phase ([`Phase::Proof`]) through this host's node, and records
    /// the result.
    async fn prove(&mut self) {
        let node_id = format!("proof{}", self.host);
        let token = PROOF_TOKENS + self.host as u64;
        let request = SimRequest::Announce(announcement(&node_id, token));
        let SimRequest::Announce(announced) = &request else {
            return;
        };
        let began = now();
        let number = self.world.writes().begin(self.host, &request, began);
        let deadline = clock::now() + CLIENT_WAITS;
        let written = self.node.announce(announced.clone(), deadline).await;
        let ended = now();
        self.world.writes().end(number, &written, ended);
        let mut answers = self.world.answers();
        answers.note_time("a write", began, ended);
        if let Ok(index) = written {
            answers.acknowledge(None, request, index, Duration::ZERO);
            answers.prove_write(self.host, index);
        }
    }
}

/// A write in progress. Its process may be killed before the result arrives.
struct Underway<'a> {
    world: &'a SimWorld,
    worker: usize,
    request: SimRequest,
    /// The number of the write in [`RecordedWrites`](crate::records::writes::RecordedWrites).
    number: usize,
    decided: bool,
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        if !self.decided {
            self.world.writes().leave(self.number);
            self.world
                .answers()
                .fail(self.worker, &self.request, false, Duration::ZERO);
        }
    }
}
