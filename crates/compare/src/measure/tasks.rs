//! The loads of a run, and the servers on which each of them is measured.

use anyhow::bail;
use serde::Serialize;
use std::fmt;

/// A kind of server that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// This build of quorate.
    Quorate,
    /// airlift's discovery server: stale reads, data in memory, replication after the response.
    Airlift,
    /// etcd: linearizable reads of a prefix, durable writes.
    Etcd,
    /// The baseline: an axum server that returns the same bytes and replicates nothing.
    #[serde(rename = "limit")]
    #[value(name = "limit")]
    Baseline,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Name::Quorate => "quorate",
            Name::Airlift => "airlift",
            Name::Etcd => "etcd",
            Name::Baseline => "baseline",
        })
    }
}

/// All kinds of servers.
pub const ALL: &[Name] = &[Name::Quorate, Name::Airlift, Name::Etcd, Name::Baseline];
/// Servers on which a renewal differs from a change. A renewal is an announcement that changes
/// nothing.
const WITH_RENEWALS: &[Name] = &[Name::Quorate, Name::Airlift, Name::Baseline];
/// Servers that expire announcements that are not renewed.
const DISCOVERY: &[Name] = &[Name::Quorate, Name::Airlift];

/// The kind of request that the clients send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SentRequest {
    /// A lookup of all services of a type.
    Lookup,
    /// An announcement that changes something.
    Change,
    /// An announcement that changes nothing.
    Renew,
}

/// The nodes that the clients send requests to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum To {
    /// All three nodes.
    All,
    /// One node that is not the leader.
    Follower,
}

/// The length of a load, relative to the other loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// The usual duration, for example the one given by `--seconds` in a run.
    Usual,
    /// A longer duration, for loads whose effects take a while to show. In a run, it is five times
    /// the usual duration; in a comparison of two builds, it is four times the usual duration.
    Long,
}

/// One load: requests of one kind, sent by a number of clients to a cluster.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Task {
    /// The name of the load in tables and results.
    pub name: &'static str,
    /// The kind of request that the clients send.
    pub asked: SentRequest,
    /// The nodes that receive the requests.
    pub to: To,
    /// Number of concurrent clients.
    pub clients: u32,
    /// Number of announced nodes, with one service each. Each node is also renewed every 8 s,
    /// except on etcd, where announcements do not expire.
    pub nodes: u32,
    /// Number of requests per second. If `None`, each client sends its next request as soon as it
    /// has received the response.
    pub rate: Option<u32>,
    /// The duration of the load.
    pub length: Length,
    /// The servers on which the load is measured.
    pub of: &'static [Name],
}

const USUAL: Task = Task {
    name: "warm",
    asked: SentRequest::Lookup,
    to: To::All,
    clients: 64,
    nodes: 1_000,
    rate: None,
    length: Length::Usual,
    of: ALL,
};

/// The load that warms up a cluster before its first measurement.
pub const WARM: Task = USUAL;

/// All loads of a run, in order.
pub const TASKS: &[Task] = &[
    Task {
        name: "lookup-100",
        nodes: 100,
        ..USUAL
    },
    Task {
        name: "lookup-1000",
        ..USUAL
    },
    Task {
        name: "lookup-alone",
        to: To::Follower,
        clients: 1,
        nodes: 100,
        ..USUAL
    },
    Task {
        name: "change-alone",
        asked: SentRequest::Change,
        to: To::Follower,
        clients: 1,
        nodes: 100,
        ..USUAL
    },
    Task {
        name: "change-64",
        asked: SentRequest::Change,
        ..USUAL
    },
    Task {
        name: "change-256",
        asked: SentRequest::Change,
        clients: 256,
        ..USUAL
    },
    Task {
        name: "renew-256",
        asked: SentRequest::Renew,
        clients: 256,
        of: WITH_RENEWALS,
        ..USUAL
    },
    // Most requests of this load are the renewals of the 10,000 nodes (1,250 a second) and not the
    // 50 lookups a second.
    Task {
        name: "crowd-10000",
        nodes: 10_000,
        rate: Some(50),
        length: Length::Long,
        of: DISCOVERY,
        ..USUAL
    },
];

/// Returns the loads with these names, or all loads if `names` is empty.
///
/// # Errors
/// Fails if a name is not the name of a load.
pub fn selected(names: &[String]) -> anyhow::Result<Vec<Task>> {
    for name in names {
        if !TASKS.iter().any(|task| task.name == name) {
            let known: Vec<&str> = TASKS.iter().map(|task| task.name).collect();
            bail!(
                "unknown load '{name}', expected one of: {}",
                known.join(", ")
            );
        }
    }
    let is_selected = |task: &&Task| names.is_empty() || names.iter().any(|name| name == task.name);
    Ok(TASKS.iter().filter(is_selected).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Each load has a unique name, and is measured on quorate, because the figures of the other
    /// servers are compared with quorate's.
    #[test]
    fn tasks_are_told_apart() {
        let names: BTreeSet<&str> = TASKS.iter().map(|task| task.name).collect();
        assert_eq!(names.len(), TASKS.len());
        assert!(TASKS.iter().all(|task| task.of.contains(&Name::Quorate)));
    }
}
