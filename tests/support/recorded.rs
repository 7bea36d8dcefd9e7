//! Clients that announce, renew, withdraw and look up without pause, and write down what they saw.

use super::http;
use super::node::{PATIENCE, Write, announcement, announcement_path, services, write_of};
use quorate::clock::{self, Instant};
use quorate_checker::history::{Input, Name, Operation, Outcome, Service};
use quorate_checker::random::Random;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Node ids of each client: of one the others' changes are seen while it rests.
const NODES_PER_CLIENT: u64 = 4;
/// The pool of all; with the type it is a group, and each operation but a few lookups touches one group alone.
const POOL: &str = "general";
/// A pause after a refusal, as clients make one.
const BACK_OFF: Duration = Duration::from_millis(20);

/// How many clients, and of how many groups.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    pub clients: u32,
    pub groups: u32,
    pub seed: u64,
}

/// The clients at work.
pub struct Recorded {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Vec<Operation>>>,
}

struct Shared {
    began: Instant,
    servers: Vec<SocketAddr>,
    /// The last token that any of them used.
    tokens: AtomicU64,
    /// Operations that were answered with 2xx.
    served: AtomicU64,
    stop: AtomicBool,
}

impl Recorded {
    pub fn start(crowd: Crowd, servers: Vec<SocketAddr>) -> Recorded {
        let shared = Arc::new(Shared {
            began: clock::now(),
            servers,
            tokens: AtomicU64::new(0),
            served: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let threads = (0..crowd.clients)
            .map(|number| {
                let client = Client::new(number, crowd, shared.clone());
                std::thread::spawn(move || client.run())
            })
            .collect();
        Recorded { shared, threads }
    }

    /// How many operations were answered with 2xx so far.
    pub fn served(&self) -> u64 {
        self.shared.served.load(Ordering::Relaxed)
    }

    /// Lets what is under way end, and gives all that they saw.
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

struct Client {
    number: u32,
    group: Name,
    random: Random,
    shared: Arc<Shared>,
    nodes: Vec<Announced>,
    /// Grows when a node id is given up.
    generation: u64,
    operations: Vec<Operation>,
}

/// A node id of one client alone.
struct Announced {
    node: Name,
    /// What it was last acknowledged with; none: it is withdrawn, or was never announced.
    token: Option<u64>,
}

impl Client {
    fn new(number: u32, crowd: Crowd, shared: Arc<Shared>) -> Client {
        let mut client = Client {
            number,
            group: format!("group-{}", number % crowd.groups).into(),
            random: Random::new(crowd.seed ^ u64::from(number).wrapping_mul(0x9E37_79B9)),
            shared,
            nodes: Vec::new(),
            generation: 0,
            operations: Vec::new(),
        };
        for _ in 0..NODES_PER_CLIENT {
            let node = client.fresh();
            client.nodes.push(node);
        }
        client
    }

    fn fresh(&mut self) -> Announced {
        self.generation += 1;
        Announced {
            node: format!("node-{}-{}", self.number, self.generation).into(),
            token: None,
        }
    }

    fn run(mut self) -> Vec<Operation> {
        while !self.shared.stop.load(Ordering::Relaxed) {
            let server = self.random.below(self.shared.servers.len() as u64) as u32;
            let served = match self.random.below(10) {
                0..3 => self.write(server),
                9 => self.look_up(server, false),
                _ => self.look_up(server, true),
            };
            if served {
                self.shared.served.fetch_add(1, Ordering::Relaxed);
            } else {
                super::let_pass(BACK_OFF);
            }
        }
        self.operations
    }

    /// Announces something new, renews, or withdraws.
    fn write(&mut self, server: u32) -> bool {
        let at = self.random.below(NODES_PER_CLIENT) as usize;
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
        let (method, path, body) = self.request_of(&input);
        let call_ns = self.shared.now_ns();
        let address = self.shared.servers[server as usize];
        let answer = http::request(address, method, &path, body.as_deref(), PATIENCE);
        let return_ns = Some(self.shared.now_ns());
        let (outcome, index) = match write_of(answer) {
            Write::Acked(index) => (Outcome::Acked, Some(index)),
            Write::NotApplied(_) => (Outcome::Refused, None),
            Write::Unknown(_) => (Outcome::Unknown, None),
        };
        match outcome {
            Outcome::Acked => self.nodes[at].token = then,
            // Its state is known to nobody; it is left alone from now on, to expire.
            Outcome::Unknown => self.nodes[at] = self.fresh(),
            Outcome::Refused | Outcome::Found(_) => {}
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

    fn request_of(&self, input: &Input) -> (&'static str, String, Option<String>) {
        match input {
            Input::Announce { node, token, .. } => (
                "PUT",
                announcement_path(node),
                Some(announcement(&self.group, node, *token)),
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

    /// Looks up its own group, or everything.
    fn look_up(&mut self, server: u32, own: bool) -> bool {
        let input = Input::Lookup {
            service_type: own.then(|| self.group.clone()),
            pool: own.then(|| POOL.into()),
        };
        let (method, path, _) = self.request_of(&input);
        let call_ns = self.shared.now_ns();
        let address = self.shared.servers[server as usize];
        let answer = http::request(address, method, &path, None, PATIENCE).ok();
        let return_ns = Some(self.shared.now_ns());
        let served = answer
            .as_ref()
            .and_then(|answer| Some((services(answer)?, answer)));
        let (outcome, index) = match served {
            None => (Outcome::Refused, None),
            Some((services, answer)) => {
                let index = answer.headers["quorate-index"].parse().expect("an index");
                (Outcome::Found(services_of(&services)), Some(index))
            }
        };
        self.note(server, call_ns, return_ns, input, outcome, index)
    }

    fn note(
        &mut self,
        server: u32,
        call_ns: u64,
        return_ns: Option<u64>,
        input: Input,
        outcome: Outcome,
        index: Option<u64>,
    ) -> bool {
        let operation = Operation {
            client: self.number,
            server,
            call_ns,
            return_ns,
            input,
            outcome,
            index,
        };
        let served = operation.succeeded();
        self.operations.push(operation);
        served
    }
}

/// Without the cluster's own, of which the registry knows nothing.
fn services_of(found: &[serde_json::Value]) -> Vec<Service> {
    let announced = found
        .iter()
        .filter(|service| service["type"] != "discovery");
    announced.map(service_of).collect()
}

fn service_of(service: &serde_json::Value) -> Service {
    let text = |field: &serde_json::Value| -> Name { field.as_str().expect("a text").into() };
    let token = text(&service["properties"]["token"]);
    Service {
        service_type: text(&service["type"]),
        pool: text(&service["pool"]),
        node: text(&service["nodeId"]),
        token: token.parse().expect("a token of these clients"),
    }
}
