//! A group of nodes whose files are in one temporary directory.

use super::etc::Etc;
use super::node::{Node, Tokens};
use super::ports;
use super::slots::Slots;
use crate::support::wait::until;
use quorate::clock;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Maximum time for a group to form, or to recover, before a test gives up. It is far above the
/// documented limit, which has its own test.
pub const FORM_LIMIT: Duration = Duration::from_secs(20);
const LOG_LINES_SHOWN: usize = 80;
/// The leader's log message after the feature level of commands was raised.
const LEVEL_RAISED: &str = "every voter knows a higher level of commands";

/// The options of a test's cluster.
#[derive(Default)]
pub struct Options {
    /// Lines of every config.properties.
    pub settings: Vec<(&'static str, &'static str)>,
    /// The share of the machine that the cluster takes.
    pub room: Room,
}

/// The share of the machine that a cluster takes, in slots of [`Slots`].
#[derive(Default)]
pub enum Room {
    /// One slot, beside clusters of other tests.
    #[default]
    Shared,
    /// The slot for one more cluster, for tests that mostly wait.
    Quiet,
    /// The whole machine, for tests that measure time.
    Alone,
    /// No slot, because the test's first cluster has one already.
    Beside,
}

impl Options {
    /// Returns options with this `discovery.max-age`.
    pub fn max_age(value: &'static str) -> Options {
        Options {
            settings: vec![("discovery.max-age", value)],
            ..Options::default()
        }
    }

    /// Reserves the whole machine.
    pub fn alone(mut self) -> Options {
        self.room = Room::Alone;
        self
    }

    /// Reserves the slot for a cluster that mostly waits.
    pub fn quiet(mut self) -> Options {
        self.room = Room::Quiet;
        self
    }

    /// Returns options for a second cluster of the same test.
    pub fn beside() -> Options {
        Options {
            room: Room::Beside,
            ..Options::default()
        }
    }
}

/// A group of nodes. When it is dropped, every process is killed; if the test failed, their logs
/// are printed.
pub struct Cluster {
    // The nodes are the first field, so that their processes end before their directories and their
    // slot are released.
    pub nodes: Vec<Node>,
    /// Time from the first start until each node had answered a linearizable lookup.
    pub formed_in: Duration,
    dir: TempDir,
    _slots: Slots,
}

impl Cluster {
    /// Starts `count` nodes and returns when each answers a linearizable lookup.
    pub fn start(count: usize, options: Options) -> Cluster {
        let mut cluster = Cluster::prepare(count, options);
        let began = clock::now();
        cluster.start_all();
        cluster.wait_serving();
        cluster.formed_in = began.elapsed();
        cluster
    }

    /// Writes the files of `count` nodes that list each other in their inventories, and starts
    /// none.
    pub fn prepare(count: usize, options: Options) -> Cluster {
        let slots = match options.room {
            Room::Shared => Slots::one(),
            Room::Quiet => Slots::quiet(),
            Room::Alone => Slots::all(),
            Room::Beside => Slots::none(),
        };
        let dir = TempDir::new().expect("a temporary directory");
        let inventory: Vec<(String, u16)> = (1..=count)
            .map(|i| (format!("quorate-{i}"), ports::free()))
            .collect();
        let settings: Vec<(String, String)> = options
            .settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let nodes = inventory
            .iter()
            .map(|(node_id, port)| {
                Node::new(Etc {
                    dir: dir.path().join(node_id),
                    node_id: node_id.clone(),
                    port: *port,
                    settings: settings.clone(),
                    inventory: inventory.clone(),
                })
            })
            .collect();
        Cluster {
            nodes,
            formed_in: Duration::ZERO,
            dir,
            _slots: slots,
        }
    }

    /// Returns the directory that contains the nodes' directories. A test may put its own files
    /// there.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts all nodes that do not run.
    pub fn start_all(&mut self) {
        for node in &mut self.nodes {
            node.start();
        }
    }

    /// Kills all nodes with SIGKILL at the same time.
    pub fn kill9_all(&mut self) {
        // All nodes are paused first, so that none of them reacts to the end of another.
        for node in &self.nodes {
            node.pause();
        }
        for node in &mut self.nodes {
            node.kill9();
        }
    }

    /// Stops all nodes with SIGTERM.
    pub fn stop_all(&mut self) {
        for node in &self.nodes {
            node.ask_to_stop();
        }
        for node in &mut self.nodes {
            node.ended("SIGTERM");
        }
    }

    /// Waits until every node answers a linearizable lookup.
    pub fn wait_serving(&self) {
        for node in &self.nodes {
            node.wait_serving(FORM_LIMIT);
        }
    }

    /// Waits until every node is a voter that serves.
    pub fn wait_ready(&self) {
        for node in &self.nodes {
            node.wait_ready(FORM_LIMIT);
        }
    }

    /// Waits until a node reports that it is the leader, and returns its position.
    pub fn leader(&self) -> usize {
        self.leader_other_than(None)
    }

    /// Waits until a node other than `except` reports that it is the leader, and returns its
    /// position. `except` may be a stopped leader that would still believe that it leads.
    pub fn leader_other_than(&self, except: Option<usize>) -> usize {
        until("a node leads", FORM_LIMIT, || {
            (0..self.nodes.len())
                .filter(|i| Some(*i) != except)
                .find(|i| {
                    self.nodes[*i]
                        .status()
                        .is_some_and(|status| status["role"] == "leader")
                })
        })
    }

    /// Returns the positions of all nodes except one.
    pub fn others(&self, than: usize) -> Vec<usize> {
        (0..self.nodes.len()).filter(|i| *i != than).collect()
    }

    /// Waits until the order of writes of one node id is guaranteed. The group must first raise the
    /// feature level of commands, and every node must learn of the new level. From this level on,
    /// each write carries its `Arrival` at the node that received the write.
    pub fn wait_ordered(&self) {
        until("the level of commands is raised", FORM_LIMIT, || {
            let mut nodes = self.nodes.iter();
            nodes
                .any(|node| node.log().contains(LEVEL_RAISED))
                .then_some(())
        });
        self.wait_serving();
    }

    /// Waits until a running node sees exactly the cluster's nodes as members, all of them voters.
    pub fn wait_all_voters(&self, seen_by: usize) {
        until(&format!("{} voters", self.nodes.len()), FORM_LIMIT, || {
            let status = self.nodes[seen_by].status()?;
            (voters(&status).len() == self.nodes.len()
                && members(&status).len() == self.nodes.len())
            .then_some(())
        });
    }

    /// Returns the tokens in a lookup of a type, for each running node. Every node must serve its
    /// first lookup.
    pub fn tokens_everywhere(&mut self, kind: &str) -> Vec<Tokens> {
        let mut seen = Vec::new();
        for node in &mut self.nodes {
            if node.is_alive() {
                seen.push(
                    node.tokens(kind)
                        .unwrap_or_else(|| panic!("{} does not serve", node.etc.node_id)),
                );
            }
        }
        seen
    }
}

/// Returns the `node.id`s of the members in a status.
pub fn members(status: &Value) -> Vec<String> {
    member_ids(status, |_| true)
}

/// Returns the `node.id`s of the voters in a status.
pub fn voters(status: &Value) -> Vec<String> {
    member_ids(status, |member| member["role"] == "voter")
}

fn member_ids(status: &Value, keep: impl Fn(&Value) -> bool) -> Vec<String> {
    let members = status["members"].as_array().expect("a status has members");
    members
        .iter()
        .filter(|member| keep(member))
        .map(|member| {
            member["node"]
                .as_str()
                .expect("a member has a node.id")
                .to_owned()
        })
        .collect()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for node in &self.nodes {
            let log = node.log();
            let lines: Vec<&str> = log.lines().collect();
            let from = lines.len().saturating_sub(LOG_LINES_SHOWN);
            eprintln!("---- log of {} at {}", node.etc.node_id, node.url());
            for line in &lines[from..] {
                eprintln!("{line}");
            }
        }
    }
}
