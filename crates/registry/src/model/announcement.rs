//! Announcements of nodes, and static services registered by hand.

use super::fingerprint::Fingerprint;
use super::packed::properties::Properties;
use super::packed::services::Services;
use serde::{Deserialize, Serialize};

/// All services that one node announces. Each announcement replaces the node's previous one.
///
/// The environment is checked on receipt and not stored, since it equals the cluster's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The node id from the request path, not from the body.
    pub node_id: String,
    /// The pool of all services of the node.
    pub pool: String,
    /// The location as received, or `/somewhere/<node id>` if the body has none.
    pub location: String,
    /// The services of the node.
    pub services: Services,
}

impl Announcement {
    /// Returns the digest of the parsed form. The digest does not depend on white space, key order,
    /// compression or number formats, which differ between client libraries. A renewal identifies
    /// the renewed announcement by this digest.
    pub fn digest(&self) -> u128 {
        let services = self.services.iter();
        announcement_digest(
            [&self.node_id, &self.pool, &self.location],
            services.map(|service| ([service.id, service.service_type], service.properties)),
        )
    }
}

/// Computes the digest of an announcement ([`Announcement::digest`]) from its node id, pool and
/// location, and from the id, type and properties of each of its services, sorted by id.
pub(crate) fn announcement_digest<'a, P>(
    [node_id, pool, location]: [&str; 3],
    services: impl ExactSizeIterator<Item = ([&'a str; 2], P)>,
) -> u128
where
    P: ExactSizeIterator<Item = (&'a str, &'a str)>,
{
    let start = Fingerprint::of("announcement 1")
        .text(node_id)
        .text(pool)
        .text(location)
        .number(services.len() as u64);
    services
        .fold(start, |so_far, ([id, service_type], properties)| {
            so_far.text(id).text(service_type).map(properties)
        })
        .finish()
}

/// A service registered by hand with a single `POST`. It stays until it is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticService {
    /// The id of the service, generated at random by the node that received the request.
    pub id: String,
    /// The type of the service.
    pub service_type: String,
    /// The pool of the service.
    pub pool: String,
    /// The location of the service; `/somewhere/<id>` if the request has none.
    pub location: String,
    /// The properties of the service.
    pub properties: Properties,
}
