//! What is announced: by a node, and by hand.

use super::fingerprint::Fingerprint;
use super::packed::properties::Properties;
use super::packed::services::Services;
use serde::{Deserialize, Serialize};

/// Everything that one node announces; each announcement replaces the node's last one.
///
/// The environment is checked at the edge and is not kept: it is the cluster's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The node id of the path, not of the body.
    pub node_id: String,
    /// The pool of all its services.
    pub pool: String,
    /// The location as it came, or `/somewhere/<node id>`.
    pub location: String,
    /// Its services.
    pub services: Services,
}

impl Announcement {
    /// The digest of the parsed form: white space, key order, gzip and number formats of
    /// another client library make no difference. A renewal names what it renews by it.
    pub fn digest(&self) -> u128 {
        let start = Fingerprint::of("announcement 1")
            .text(&self.node_id)
            .text(&self.pool)
            .text(&self.location)
            .number(self.services.len() as u64);
        self.services
            .iter()
            .fold(start, |so_far, service| {
                so_far
                    .text(service.id)
                    .text(service.service_type)
                    .map(service.properties)
            })
            .finish()
    }
}

/// A service posted once by hand, which stays until it is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticService {
    /// Drawn at random by the node that took the request.
    pub id: String,
    /// Its type.
    pub service_type: String,
    /// Its pool.
    pub pool: String,
    /// Its location; `/somewhere/<id>` when none was given.
    pub location: String,
    /// Its properties.
    pub properties: Properties,
}
