//! Coordinators of SQL engines: the query for them and its result.

use super::quantity::shown;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// An engine whose coordinators can be recognized by what they announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Presto and PrestoSQL.
    Presto,
    /// Trino.
    Trino,
}

impl Engine {
    /// All engines.
    pub const ALL: [Engine; 2] = [Engine::Presto, Engine::Trino];

    /// Returns the engine with this name.
    pub fn of_name(name: &str) -> Option<Engine> {
        Engine::ALL
            .into_iter()
            .find(|engine| engine.service_type() == name)
    }

    /// Returns the service type that every node of the engine announces. The type is also the name
    /// of the engine.
    pub fn service_type(self) -> &'static str {
        match self {
            Engine::Presto => "presto",
            Engine::Trino => "trino",
        }
    }

    /// Returns the additional service type that the engine's coordinators announce.
    pub fn coordinator_type(self) -> &'static str {
        match self {
            Engine::Presto => "presto-coordinator",
            Engine::Trino => "trino-coordinator",
        }
    }
}

/// A filter for coordinators.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct CoordinatorQuery {
    /// The engine; `None` matches any.
    pub engine: Option<Engine>,
    /// The pool; `None` matches any.
    pub pool: Option<String>,
}

/// An announced coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coordinator {
    /// The base address of the coordinator: scheme, host and port.
    pub uri: String,
    /// The engine of the coordinator.
    pub engine: Engine,
    /// The node id of the coordinator; `None` for a static service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// The pool of the coordinator.
    pub pool: String,
    /// The location of the coordinator, as received.
    pub location: String,
    /// The log index at which the coordinator joined.
    pub joined_index: u64,
    /// All properties of the service.
    pub properties: BTreeMap<String, String>,
}

/// The announced coordinators, most recently joined first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coordinators {
    /// Coordinators that a client can be redirected to.
    pub found: Vec<Coordinator>,
    /// The first few coordinators that no client can be redirected to.
    pub unusable: Vec<UnusableCoordinator>,
}

/// An announced coordinator without an address that a client could be redirected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnusableCoordinator {
    /// The engine of the coordinator.
    pub engine: Engine,
    /// The node id of the coordinator; `None` for a static service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// The pool of the coordinator.
    pub pool: String,
    /// One line of bounded length that states the problem with the address, and quotes the address
    /// if there is one.
    pub reason: String,
    /// The log index at which the coordinator joined.
    pub joined_index: u64,
}

impl fmt::Display for UnusableCoordinator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node_id {
            Some(node_id) => write!(f, "{}: {}", shown(node_id), self.reason),
            None => write!(f, "a static service: {}", self.reason),
        }
    }
}
