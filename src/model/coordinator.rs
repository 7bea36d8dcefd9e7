//! Where SQL goes: the coordinators of an engine, as they are asked for and answered.

use http::Uri;
use serde::Serialize;
use std::collections::BTreeMap;

/// An engine whose coordinators are known by what they announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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

/// The address in an announced property, without a slash at its end so that a path may follow; `None` when it is none that
/// a client could be sent to.
pub fn http_address(text: &str) -> Option<&str> {
    let uri: Uri = text.parse().ok()?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    (is_http && has_host && uri.query().is_none()).then(|| text.trim_end_matches('/'))
}

/// Which coordinators are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
