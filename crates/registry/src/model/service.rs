//! One service by itself.

use serde::Serialize;
use std::collections::BTreeMap;

/// One service of an announcement by itself, to be put together or changed; see [`Services`](super::Services).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Service {
    /// The service's id, as the client sent it.
    pub id: String,
    /// Its type, for example `presto` or `trino-coordinator`.
    pub service_type: String,
    /// Its properties: scalars, already coerced to strings.
    pub properties: BTreeMap<String, String>,
}
