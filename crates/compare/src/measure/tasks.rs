//! The loads, and the servers that each of them is run on.

use anyhow::bail;
use serde::Serialize;
use std::fmt;

/// A server that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// This build of quorate.
    Quorate,
    /// airlift's discovery server: stale reads, data in memory, replication after the response.
    Airlift,
    /// etcd: linearizable reads of a prefix, durable writes.
    Etcd,
    /// axum, which returns the same bytes and replicates nothing.
    Limit,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Name::Quorate => "quorate",
            Name::Airlift => "airlift",
            Name::Etcd => "etcd",
            Name::Limit => "limit",
        })
    }
}

/// All servers.
pub const ALL: &[Name] = &[Name::Quorate, Name::Airlift, Name::Etcd, Name::Limit];
/// Servers that have renewals: announcements that change nothing.
const WITH_RENEWALS: &[Name] = &[Name::Quorate, Name::Airlift, Name::Limit];
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

/// The duration of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// The duration given by `--seconds`.
    Usual,
    /// Five times as long, for a load whose effects take a while to show.
    Long,
}

/// One load.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Task {
    /// Its name in tables and results.
    pub name: &'static str,
    /// The requests of the clients.
    pub asked: SentRequest,
    /// The nodes that receive the requests.
    pub to: To,
    /// Number of concurrent clients.
    pub clients: u32,
    /// Number of announced nodes, with one service each. They are also renewed every 8 s, except on
    /// etcd, where they do not expire.
    pub nodes: u32,
    /// Number of requests per second. Without it, each client sends its next request when it has
    /// the response.
    pub rate: Option<u32>,
    /// Its duration.
    pub length: Length,
    /// The servers that it is measured on.
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

/// All loads.
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
    // Most of this load is the renewals beside the lookups: 1,250 a second.
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
/// Fails if there is no load with one of the names.
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

    /// Each load has a unique name and is measured on quorate, which the other servers are compared
    /// with.
    #[test]
    fn tasks_are_told_apart() {
        let names: BTreeSet<&str> = TASKS.iter().map(|task| task.name).collect();
        assert_eq!(names.len(), TASKS.len());
        assert!(TASKS.iter().all(|task| task.of.contains(&Name::Quorate)));
    }
}
