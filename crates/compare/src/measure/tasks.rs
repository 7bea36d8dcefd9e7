//! What is measured, of whom.

use anyhow::bail;
use serde::Serialize;
use std::fmt;

/// Those that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// This build.
    Quorate,
    /// airlift's discovery server: stale, in memory, not replicated when it answers.
    Airlift,
    /// etcd: linearizable reads of a prefix, durable puts.
    Etcd,
    /// axum, which hands out the same bytes and agrees with nobody.
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

/// Everybody.
pub const ALL: &[Name] = &[Name::Quorate, Name::Airlift, Name::Etcd, Name::Limit];
/// Those to whom an announcement that changes nothing is one.
const WITH_RENEWALS: &[Name] = &[Name::Quorate, Name::Airlift, Name::Limit];
/// Those that expire what is not renewed.
const DISCOVERY: &[Name] = &[Name::Quorate, Name::Airlift];

/// What the clients ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Asked {
    /// Every service of a type.
    Lookup,
    /// An announcement that changes something.
    Change,
    /// One that changes nothing.
    Renew,
}

/// Whom the clients ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum To {
    /// All three nodes.
    All,
    /// One that does not lead.
    Follower,
}

/// How long a load lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// As was said (`--seconds`).
    Usual,
    /// Five times that, for a load that takes a while to show.
    Long,
}

/// One load, and its clients.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Task {
    /// What it is called in tables and results.
    pub name: &'static str,
    /// What is asked.
    pub asked: Asked,
    /// Whom.
    pub to: To,
    /// How many ask at once.
    pub clients: u32,
    /// How many nodes are announced, with a service each; where anything expires they are renewed every 8 s besides.
    pub nodes: u32,
    /// Requests a second; none: each client asks when it is answered.
    pub rate: Option<u32>,
    /// How long.
    pub length: Length,
    /// Of whom it is measured.
    pub of: &'static [Name],
}

const USUAL: Task = Task {
    name: "warm",
    asked: Asked::Lookup,
    to: To::All,
    clients: 64,
    nodes: 1_000,
    rate: None,
    length: Length::Usual,
    of: ALL,
};

/// What a cluster is put under before anything is measured.
pub const WARM: Task = USUAL;

/// All that is measured.
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
        asked: Asked::Change,
        to: To::Follower,
        clients: 1,
        nodes: 100,
        ..USUAL
    },
    Task {
        name: "change-64",
        asked: Asked::Change,
        ..USUAL
    },
    Task {
        name: "change-256",
        asked: Asked::Change,
        clients: 256,
        ..USUAL
    },
    Task {
        name: "renew-256",
        asked: Asked::Renew,
        clients: 256,
        of: WITH_RENEWALS,
        ..USUAL
    },
    // The renewals beside the lookups are the load here: 1,250 a second.
    Task {
        name: "crowd-10000",
        nodes: 10_000,
        rate: Some(50),
        length: Length::Long,
        of: DISCOVERY,
        ..USUAL
    },
];

/// Returns the loads of these names, or all when none is named.
///
/// # Errors
/// When a name is no load's.
pub fn selected(names: &[String]) -> anyhow::Result<Vec<Task>> {
    for name in names {
        if !TASKS.iter().any(|task| task.name == name) {
            let known: Vec<&str> = TASKS.iter().map(|task| task.name).collect();
            bail!("'{name}' is none of the loads: {}", known.join(", "));
        }
    }
    let is_selected = |task: &&Task| names.is_empty() || names.iter().any(|name| name == task.name);
    Ok(TASKS.iter().filter(is_selected).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Each has a name of its own, and is measured of quorate: the others are there to be compared with.
    #[test]
    fn tasks_are_told_apart() {
        let names: BTreeSet<&str> = TASKS.iter().map(|task| task.name).collect();
        assert_eq!(names.len(), TASKS.len());
        assert!(TASKS.iter().all(|task| task.of.contains(&Name::Quorate)));
    }
}
