//! Where SQL goes: the coordinators of an engine, as they are asked for and answered.

use super::quantity::shown;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// An engine whose coordinators are known by what they announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Presto and PrestoSQL.
    Presto,
    /// Trino.
    Trino,
}

impl Engine {
    /// All of them.
    pub const ALL: [Engine; 2] = [Engine::Presto, Engine::Trino];

    /// The engine of a name.
    pub fn of_name(name: &str) -> Option<Engine> {
        Engine::ALL
            .into_iter()
            .find(|engine| engine.service_type() == name)
    }

    /// The type that every node of it announces; also its name.
    pub fn service_type(self) -> &'static str {
        match self {
            Engine::Presto => "presto",
            Engine::Trino => "trino",
        }
    }

    /// The type that its coordinators announce besides.
    pub fn coordinator_type(self) -> &'static str {
        match self {
            Engine::Presto => "presto-coordinator",
            Engine::Trino => "trino-coordinator",
        }
    }
}

/// Which coordinators are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct CoordinatorQuery {
    /// Of one engine; `None`: of any.
    pub engine: Option<Engine>,
    /// In one pool; `None`: in any.
    pub pool: Option<String>,
}

/// A coordinator that is announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coordinator {
    /// Where it is reached: scheme, host and port.
    pub uri: String,
    /// Its engine.
    pub engine: Engine,
    /// Its node; none for a static service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// Its pool.
    pub pool: String,
    /// Its location, as it came.
    pub location: String,
    /// The log index at which it joined.
    pub joined_index: u64,
    /// All properties of the service.
    pub properties: BTreeMap<String, String>,
}

/// The coordinators that are announced, the one that joined last first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coordinators {
    /// Those that a client can be sent to.
    pub found: Vec<Coordinator>,
    /// The first of those that no client can be sent to.
    pub unusable: Vec<UnusableCoordinator>,
}

/// A coordinator that is announced without an address that a client could be sent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnusableCoordinator {
    /// Its engine.
    pub engine: Engine,
    /// Its node; none for a static service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// Its pool.
    pub pool: String,
    /// What is wrong with its address, which is quoted; a line of bounded length.
    pub reason: String,
    /// The log index at which it joined.
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
