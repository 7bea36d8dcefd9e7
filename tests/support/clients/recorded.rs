//! Clients that announce, renew, withdraw and look up without pause, and record each operation for
//! the checker of histories.

use super::engines_secret::send_as_engine;
use super::http::{self, Pending};
use super::rivals::{Ask, outcome_of, request_of};
use super::workers::WORKER;
use crate::support::node::{PATIENCE, services, write_of};
use quorate::clock::{self, Instant};
use quorate_checker::history::{Input, Name, Operation, RecordedService, RequestOutcome};
use quorate_checker::random::Random;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The pool of all announcements. Pool and type together identify a group, and each operation,
/// except for a few lookups of everything, concerns a single group.
const POOL: &str = "general";
/// Pause after a request that was not served, similar to that of real clients.
const BACK_OFF: Duration = Duration::from_millis(20);
/// A client moves to the next server after one in this many served requests, on average. After an
/// unserved request, the client moves at once, as the engines' clients do. Clients do not choose a
/// server at random each time, since all clients would soon wait for a frozen server.
const STAYS: u64 = 400;
/// One in this many lookups requests the services of all types and pools.
const EVERYTHING: u64 = 30;
/// Head start of the first write of a pair, longer than a write takes in a healthy cluster. In half
/// of all cases, the second client waits for this time, and tries to prove that the first client's
/// write has arrived.
const HEAD_START: Duration = Duration::from_millis(25);

/// The number of clients, and what they write.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    pub clients: u32,
    pub groups: u32,
    /// Number of node ids of each client. With more than one, each node id is idle at times, while
    /// the client writes and observes its other node ids.
    pub nodes_per_client: u64,
    /// Number of additional pairs of clients. Both clients of a pair write the same node ids,
    /// through different servers.
    pub rivals: u32,
    pub seed: u64,
}

/// The running clients, which stop on drop.
pub struct Recorded {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Vec<Operation>>>,
}

struct Shared {
    began: Instant,
    servers: Vec<SocketAddr>,
    /// The last token that any client has used. Tokens are unique in a history.
    tokens: AtomicU64,
    /// Number of operations that were answered with 2xx.
    served: AtomicU64,
    stop: AtomicBool,
}

impl Recorded {
    /// Starts the clients of a workload.
    pub fn start(workload: Workload, servers: Vec<SocketAddr>) -> Recorded {
        let shared = Arc::new(Shared {
            began: clock::now(),
            servers,
            tokens: AtomicU64::new(0),
            served: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let alone = (0..workload.clients).map(|number| {
            let client = Client::new(number, workload, shared.clone());
            std::thread::spawn(move || client.run(Client::write))
        });
        // A pair has two client numbers: the one given here and the next.
        let pairs = (0..workload.rivals).map(|pair| {
            let client = Client::new(workload.clients + 2 * pair, workload, shared.clone());
            std::thread::spawn(move || client.run(Client::write_as_two))
        });
        let threads = alone.chain(pairs).collect();
        Recorded { shared, threads }
    }

    /// Returns the number of operations answered with 2xx so far.
    pub fn served(&self) -> u64 {
        self.shared.served.load(Ordering::Relaxed)
    }

    /// Returns the current time of the clock that the history uses.
    pub fn now_ns(&self) -> u64 {
        self.shared.now_ns()
    }

    /// Stops the clients, waits for their pending operations, and returns all operations in the
    /// order of their calls.
    pub fn stop(mut self) -> Vec<Operation> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut history: Vec<Operation> = self
            .threads
            .drain(..)
            .flat_map(|thread| thread.join().expect("a client understands every answer"))
            .collect();
        history.sort_by_key(|operation| operation.call_ns);
        history
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn now_ns(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}

/// One client, or a pair of clients, with the operations that it has recorded.
struct Client {
    number: u32,
    group: Name,
    random: Random,
    shared: Arc<Shared>,
    nodes: Vec<Announced>,
    /// The number of the server that the client currently sends requests to.
    server: u32,
    /// All names in the client's operations. Equal names share one allocation, because a long
    /// history repeats few different names.
    names: HashSet<Name>,
    /// The number of node ids that this client has used. It increases when the client gives up a
    /// node id.
    generation: u64,
    operations: Vec<Operation>,
}

/// A node id that a client, or both clients of a pair, announce.
struct Announced {
    node: Name,
    /// The last acknowledged token, or `None` if the node is withdrawn or was never announced.
    token: Option<u64>,
}

impl Client {
    fn new(number: u32, workload: Workload, shared: Arc<Shared>) -> Client {
        let mut client = Client {
            number,
            group: format!("group-{}", number % workload.groups).into(),
            random: Random::new(workload.seed ^ u64::from(number).wrapping_mul(0x9E37_79B9)),
            shared,
            nodes: Vec::new(),
            server: number,
            names: HashSet::new(),
            generation: 0,
            operations: Vec::new(),
        };
        for _ in 0..workload.nodes_per_client {
            let node = client.fresh();
            client.nodes.push(node);
        }
        client
    }

    /// Returns a node id that was never used.
    fn fresh(&mut self) -> Announced {
        self.generation += 1;
        Announced {
            node: format!("node-{}-{}", self.number, self.generation).into(),
            token: None,
        }
    }

    /// Sends requests until the clients are stopped: three of ten are writes.
    fn run(mut self, mut write: impl FnMut(&mut Client, u32) -> bool) -> Vec<Operation> {
        while !self.shared.stop.load(Ordering::Relaxed) {
            let server = self.server % self.shared.servers.len() as u32;
            let served = match self.random.below(10) {
                0..3 => write(&mut self, server),
                _ => {
                    let own = self.random.below(EVERYTHING) != 0;
                    self.look_up(server, own)
                }
            };
            if served {
                self.shared.served.fetch_add(1, Ordering::Relaxed);
            } else {
                crate::support::let_pass(BACK_OFF);
            }
            if !served || self.random.below(STAYS) == 0 {
                self.server += 1;
            }
        }
        self.operations
    }

    /// Writes one of the client's node ids: a new announcement, a renewal, or a withdrawal. Returns
    /// whether the write was acknowledged.
    fn write(&mut self, server: u32) -> bool {
        let at = self.random.below(self.nodes.len() as u64) as usize;
        let held = self.nodes[at].token;
        let node = self.nodes[at].node.clone();
        let (input, then) = match (held, self.random.below(8)) {
            (Some(_), 0) => (Input::Withdraw { node }, None),
            (Some(token), 1..4) => (self.announcement(node, token), held),
            _ => {
                let token = self.shared.tokens.fetch_add(1, Ordering::Relaxed) + 1;
                (self.announcement(node, token), Some(token))
            }
        };
        let (method, path, body) = request_of(&input);
        let call_ns = self.shared.now_ns();
        let address = self.shared.servers[server as usize];
        let sent = send_as_engine(address, method, &path, body.as_deref(), PATIENCE);
        let answer = sent.and_then(Pending::answer);
        let return_ns = Some(self.shared.now_ns());
        let (outcome, index) = outcome_of(&write_of(answer));
        match outcome {
            RequestOutcome::Acked => self.nodes[at].token = then,
            // It is unknown whether the node is announced, so its node id is given up and left to
            // expire.
            RequestOutcome::Unknown => self.nodes[at] = self.fresh(),
            RequestOutcome::Refused | RequestOutcome::Found(_) => {}
        }
        self.note(server, call_ns, return_ns, input, outcome, index)
    }

    fn announcement(&self, node: Name, token: u64) -> Input {
        Input::Announce {
            node,
            pool: POOL.into(),
            types: vec![self.group.clone()],
            token,
        }
    }

    /// Writes one node id as two clients through different servers. The second write is sent before
    /// the answer to the first write is read. Returns whether both writes were acknowledged.
    fn write_as_two(&mut self, server: u32) -> bool {
        let at = self.random.below(self.nodes.len() as u64) as usize;
        let inputs = [self.next_input(at), self.next_input(at)];
        let count = self.shared.servers.len() as u32;
        let other = (server + 1 + self.random.below(u64::from(count) - 1) as u32) % count;
        let has_head_start = self.random.below(2) == 0;
        let shared = self.shared.clone();
        let now_ns = || shared.now_ns();
        let clients = [self.number, self.number + 1]
            .into_iter()
            .zip([server, other]);
        let mut asks = clients.zip(inputs).map(|((client, server), input)| Ask {
            client,
            server: (server, shared.servers[server as usize]),
            input,
            now_ns: &now_ns,
        });
        let (Some(first), Some(second)) = (asks.next(), asks.next()) else {
            return false;
        };
        let mut first = first.send();
        if has_head_start {
            first.prove_arrival(HEAD_START);
        }
        let second = second.send();
        let operations = [first.answer(), second.answer()];
        self.learn(at, &operations);
        let served = operations.iter().all(Operation::succeeded);
        let acked = operations.iter().filter(|operation| operation.succeeded());
        // If both writes succeeded, the caller counts one of them, so only the other write is
        // counted here.
        let acked = acked.count().saturating_sub(usize::from(served));
        self.shared
            .served
            .fetch_add(acked as u64, Ordering::Relaxed);
        self.operations.extend(operations);
        served
    }

    /// Returns the next write of a node id: a renewal, a new announcement, or a withdrawal.
    fn next_input(&mut self, at: usize) -> Input {
        let node = self.nodes[at].node.clone();
        match (self.nodes[at].token, self.random.below(3)) {
            (Some(token), 0) => self.announcement(node, token),
            (_, 1) => Input::Withdraw { node },
            _ => {
                let token = self.shared.tokens.fetch_add(1, Ordering::Relaxed) + 1;
                self.announcement(node, token)
            }
        }
    }

    /// Updates the last acknowledged token of a node id from the outcomes of a pair's two writes.
    fn learn(&mut self, at: usize, operations: &[Operation]) {
        let is_unknown = |operation: &Operation| operation.outcome == RequestOutcome::Unknown;
        if operations.iter().any(is_unknown) {
            self.nodes[at] = self.fresh();
            return;
        }
        let acked = operations.iter().filter(|operation| operation.succeeded());
        if let Some(last) = acked.max_by_key(|operation| operation.index) {
            self.nodes[at].token = match last.input {
                Input::Announce { token, .. } => Some(token),
                _ => None,
            };
        }
    }

    /// Looks up the client's own group if `own` is true, otherwise the services of all types and
    /// pools. Returns whether the lookup was served.
    fn look_up(&mut self, server: u32, own: bool) -> bool {
        let input = Input::Lookup {
            service_type: own.then(|| self.group.clone()),
            pool: own.then(|| POOL.into()),
        };
        let (method, path, _) = request_of(&input);
        let call_ns = self.shared.now_ns();
        let address = self.shared.servers[server as usize];
        let answer = http::request(address, method, &path, None, PATIENCE).ok();
        let return_ns = Some(self.shared.now_ns());
        let served = answer
            .as_ref()
            .and_then(|answer| Some((services(answer)?, answer)));
        let (outcome, index) = match served {
            None => (RequestOutcome::Refused, None),
            Some((services, answer)) => {
                let index = answer.headers["quorate-index"].parse().expect("an index");
                (
                    RequestOutcome::Found(self.services_of(&services)),
                    Some(index),
                )
            }
        };
        self.note(server, call_ns, return_ns, input, outcome, index)
    }

    /// Records an operation, and returns whether it was served.
    fn note(
        &mut self,
        server: u32,
        call_ns: u64,
        return_ns: Option<u64>,
        input: Input,
        outcome: RequestOutcome,
        index: Option<u64>,
    ) -> bool {
        let operation = Operation {
            client: self.number,
            server,
            call_ns,
            arrived_ns: None,
            return_ns,
            input,
            outcome,
            index,
        };
        let served = operation.succeeded();
        self.operations.push(operation);
        served
    }

    /// Returns the services that these clients announced, as a history records them. Leaves out the
    /// nodes' own services and the services of the [`Workers`](super::workers::Workers).
    fn services_of(&mut self, found: &[serde_json::Value]) -> Vec<RecordedService> {
        let announced = found
            .iter()
            .filter(|service| service["type"] != "discovery" && service["type"] != WORKER);
        announced.map(|service| self.service_of(service)).collect()
    }

    fn service_of(&mut self, service: &serde_json::Value) -> RecordedService {
        let token = service["properties"]["token"].as_str().expect("a token");
        let token = token.parse().expect("a token of these clients");
        RecordedService {
            service_type: self.name(&service["type"]),
            pool: self.name(&service["pool"]),
            node: self.name(&service["nodeId"]),
            token,
        }
    }

    fn name(&mut self, field: &serde_json::Value) -> Name {
        let text = field.as_str().expect("a text");
        match self.names.get(text) {
            Some(name) => name.clone(),
            None => {
                let name: Name = text.into();
                self.names.insert(name.clone());
                name
            }
        }
    }
}
