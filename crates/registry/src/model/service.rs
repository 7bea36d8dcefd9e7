//! A single service.

use serde::Serialize;
use std::collections::BTreeMap;

/// One service of an announcement as a separate value that can be built and modified; see
/// [`Services`](super::Services).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Service {
    /// The service's id, as sent by the client.
    pub id: String,
    /// The type of the service, for example `presto` or `trino-coordinator`.
    pub service_type: String,
    /// The properties of the service: scalars, already coerced to strings.
    pub properties: BTreeMap<String, String>,
}
