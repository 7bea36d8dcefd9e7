//! The nodes that a load announces.

use super::connection::{Address, BenchRequest, HttpConnection};
use crate::cli::client::error::CommandError;
use crate::cli::client::output;
use http::{HeaderValue, Method};
use hyper::body::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use quorate::security::EngineTokenSigner;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Number of connections per server on which nodes are announced and withdrawn.
const CONNECTIONS: u32 = 16;
/// Maximum number of attempts to announce or withdraw a node. Attempts fail while the leader
/// changes.
const TRIES: u32 = 20;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Nodes with services like those of an engine. Each service takes some 270 bytes in a lookup.
pub struct SimulatedEngines {
    environment: String,
    of_type: String,
    /// A random number that distinguishes this run from other runs, on this and other machines.
    run: u32,
    services: u32,
    /// The number of changes of each node so far. The services of the node carry this number as a
    /// property.
    tokens: Vec<AtomicU64>,
    /// A lock for each node. Like a real engine, a node sends one write at a time. If two writes of
    /// a node were sent through different servers at the same time, one write would be refused.
    write_locks: Vec<Mutex<()>>,
    /// The tokens by which the nodes prove who they are. `None` if they send none.
    engine_tokens: Option<Vec<HeaderValue>>,
}

/// The characters of a type that are percent-encoded. As in engines, these are all characters
/// except the unreserved ones (RFC 3986, section 2.3). The type `presto-coordinator` stays
/// unchanged.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Returns the path of the lookup of a type.
pub fn lookup_path(of_type: &str) -> String {
    format!("/v1/service/{}", utf8_percent_encode(of_type, RESERVED))
}

impl SimulatedEngines {
    /// Creates `count` nodes with `services` services each, named after this run.
    pub fn new(
        environment: String,
        of_type: String,
        count: u32,
        services: u32,
    ) -> SimulatedEngines {
        SimulatedEngines {
            environment,
            of_type,
            run: rand::random(),
            services,
            tokens: (0..count).map(|_| AtomicU64::new(0)).collect(),
            write_locks: (0..count).map(|_| Mutex::new(())).collect(),
            engine_tokens: None,
        }
    }

    /// Makes a token for each node, which it sends with each write. The tokens expire at a time in
    /// seconds since 1970.
    pub fn prove_by(mut self, signer: &EngineTokenSigner, expires_s: u64) -> SimulatedEngines {
        let token = |node| {
            let token = signer.token(&self.node_id(node), expires_s);
            let mut value = HeaderValue::try_from(token).expect("base64url and dots");
            value.set_sensitive(true);
            value
        };
        self.engine_tokens = Some((0..self.count()).map(token).collect());
        self
    }

    /// Returns the number of nodes.
    pub fn count(&self) -> u32 {
        self.tokens.len() as u32
    }

    /// Returns the number of services of all nodes.
    pub fn services(&self) -> u64 {
        u64::from(self.count()) * u64::from(self.services)
    }

    /// Waits until no other task writes the node, and locks the node for this task.
    pub async fn write_lock(&self, node: u32) -> MutexGuard<'_, ()> {
        self.write_locks[node as usize].lock().await
    }

    /// Returns the path of the lookup that shows these nodes.
    pub fn lookup_path(&self) -> String {
        lookup_path(&self.of_type)
    }

    fn node_id(&self, node: u32) -> String {
        format!("bench-{:08x}-{node}", self.run)
    }

    /// Returns the path of a node's announcement.
    pub fn path(&self, node: u32) -> String {
        format!("/v1/announcement/{}", self.node_id(node))
    }

    /// Returns the token that a node sends with each write, if nodes send tokens.
    pub fn engine_token(&self, node: u32) -> Option<&HeaderValue> {
        Some(&self.engine_tokens.as_ref()?[node as usize])
    }

    /// Returns the body of a renewal, which equals the last announcement.
    pub fn renewal(&self, node: u32) -> Bytes {
        self.body(node, self.tokens[node as usize].load(Ordering::Relaxed))
    }

    /// Returns the body of an announcement that changes something.
    pub fn change(&self, node: u32) -> Bytes {
        let token = self.tokens[node as usize].fetch_add(1, Ordering::Relaxed) + 1;
        self.body(node, token)
    }

    /// Returns the JSON body of a node's announcement.
    fn body(&self, node: u32, token: u64) -> Bytes {
        let services: Vec<_> = (0..self.services)
            .map(|service| {
                json!({
                    "id": format!("{:08x}-{:04x}-4000-8000-{node:012x}", self.run, service),
                    "type": self.of_type,
                    "properties": {
                        "node_version": "476",
                        "coordinator": "false",
                        "http": format!("http://10.0.{}.{}:8080", node / 256 % 256, node % 256),
                        "connectorIds": "system,hive,iceberg,tpch",
                        "token": token.to_string(),
                    },
                })
            })
            .collect();
        let body = json!({
            "environment": self.environment,
            "pool": "general",
            "location": format!("/bench/{node}"),
            "services": services,
        });
        body.to_string().into()
    }

    /// Announces all nodes.
    ///
    /// # Errors
    /// Fails when a node is not accepted.
    pub async fn announce_all(self: &Arc<Self>, servers: &[Address]) -> Result<(), CommandError> {
        self.all(servers, Method::PUT)
            .await
            .map_err(|why| CommandError::Unanswered(vec![why]))
    }

    /// Withdraws all nodes. Nodes that cannot be withdrawn expire.
    pub async fn withdraw_all(self: &Arc<Self>, servers: &[Address]) {
        if let Err(why) = self.all(servers, Method::DELETE).await {
            output::notice(&format!(
                "some nodes could not be withdrawn and stay announced until they expire: {why}"
            ));
        }
    }

    /// Announces or withdraws all nodes, spread over [`CONNECTIONS`] connections per server.
    async fn all(self: &Arc<Self>, servers: &[Address], method: Method) -> Result<(), String> {
        let count = CONNECTIONS * servers.len() as u32;
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let address = servers[number as usize % servers.len()].clone();
            let (nodes, method) = (self.clone(), method.clone());
            tasks.spawn(async move {
                let mut connection = HttpConnection::new(address);
                for node in (number..nodes.count()).step_by(count as usize) {
                    nodes.one(&mut connection, node, &method).await?;
                }
                Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap_or_else(|_| Err("a task panicked".to_owned()))?;
        }
        Ok(())
    }

    /// Announces or withdraws one node, in up to [`TRIES`] attempts.
    async fn one(
        &self,
        connection: &mut HttpConnection,
        node: u32,
        method: &Method,
    ) -> Result<(), String> {
        let mut why = String::new();
        let path = self.path(node);
        for _ in 0..TRIES {
            let body = match *method == Method::PUT {
                true => self.renewal(node),
                false => Bytes::new(),
            };
            let request = BenchRequest {
                method: method.clone(),
                path: &path,
                body,
                engine_token: self.engine_token(node),
            };
            match connection.ask(request).await {
                Ok(answer) if answer.status.is_success() => return Ok(()),
                Ok(answer) => why = format!("{method} {path}: {}", answer.status),
                Err(error) => why = error,
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
        Err(why)
    }

    /// Starts the tasks that renew each node once in each interval of length `every`.
    pub fn keep_renewed(self: Arc<Self>, servers: &[Address], every: Duration) -> Renewing {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let count = CONNECTIONS * servers.len() as u32;
        for number in 0..count.min(self.count()) {
            let task = RenewalTask {
                nodes: self.clone(),
                own: (number..self.count()).step_by(count as usize).collect(),
                connection: HttpConnection::new(servers[number as usize % servers.len()].clone()),
            };
            tasks.spawn(task.run(every, stopped.clone()));
        }
        Renewing { stop, tasks }
    }
}

/// The running renewals of the nodes.
pub struct Renewing {
    stop: watch::Sender<bool>,
    tasks: JoinSet<u64>,
}

impl Renewing {
    /// Stops the renewals and returns the number of failed renewals. Waits for the renewals in
    /// flight, because a renewal that arrives after the withdrawal of its node would announce the
    /// node again.
    pub async fn stop(self) -> u64 {
        self.stop.send_replace(true);
        self.tasks.join_all().await.into_iter().sum()
    }
}

/// A task that renews some of the nodes on one connection.
struct RenewalTask {
    nodes: Arc<SimulatedEngines>,
    own: Vec<u32>,
    connection: HttpConnection,
}

impl RenewalTask {
    /// Renews the nodes until `stopped` is true, and returns how many renewals failed.
    async fn run(mut self, every: Duration, mut stopped: watch::Receiver<bool>) -> u64 {
        let mut failed = 0;
        let mut pace = tokio::time::interval(every / self.own.len() as u32);
        // After a stall, missed renewals are not made up for.
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for node in self.own.iter().cycle() {
            tokio::select! {
                _ = pace.tick() => {}
                _ = stopped.wait_for(|stopped| *stopped) => break,
            }
            // Another task is writing the node, and that write renews the node as well.
            let Ok(_guard) = self.nodes.write_locks[*node as usize].try_lock() else {
                continue;
            };
            let request = BenchRequest {
                method: Method::PUT,
                path: &self.nodes.path(*node),
                body: self.nodes.renewal(*node),
                engine_token: self.nodes.engine_token(*node),
            };
            let asked = self.connection.ask(request).await;
            failed += u64::from(!asked.is_ok_and(|answer| answer.status.is_success()));
        }
        failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A type is encoded in the path as engines encode it.
    #[test]
    fn types_are_encoded_as_engines_do() {
        for (of_type, path) in [
            ("presto-coordinator", "/v1/service/presto-coordinator"),
            ("a.b_c~d", "/v1/service/a.b_c~d"),
            ("a b/c?d#e%", "/v1/service/a%20b%2Fc%3Fd%23e%25"),
        ] {
            assert_eq!(lookup_path(of_type), path);
        }
    }
}
