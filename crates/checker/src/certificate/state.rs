//! The replayed state of the registry.

use crate::history::{Name, RecordedService};
use std::collections::{BTreeMap, HashMap};

/// The replayed announcements of all nodes at one index.
#[derive(Debug, Default)]
pub struct State {
    held: HashMap<Name, CertifiedNode>,
    /// For each (type, pool, node): the token, and the node's number of services of the type.
    shown: BTreeMap<(Name, Name, Name), (u64, usize)>,
}

/// The last announcement or renewal of a node.
#[derive(Debug, Clone, Copy)]
pub struct Accepted {
    /// The position of the announcement or renewal in the history, if it is in the history.
    pub operation: Option<usize>,
    /// Lower bound on the time at which the announcement or renewal was accepted.
    pub low_ns: u64,
}

/// The stored announcement of a node.
#[derive(Debug, Clone)]
pub struct CertifiedNode {
    /// The token of the announcement.
    pub token: u64,
    /// The last accepted announcement or renewal.
    pub accepted: Accepted,
    services: Vec<(Name, Name)>,
}

impl State {
    /// Returns the stored announcement of a node.
    pub fn held(&self, node: &str) -> Option<&CertifiedNode> {
        self.held.get(node)
    }

    /// Replaces the announcement of a node.
    pub fn announce(
        &mut self,
        node: &Name,
        pool: &Name,
        types: &[Name],
        token: u64,
        accepted: Accepted,
    ) {
        self.remove(node);
        let services = types
            .iter()
            .map(|service_type| (service_type.clone(), pool.clone()));
        let held = CertifiedNode {
            token,
            accepted,
            services: services.collect(),
        };
        for (service_type, pool) in &held.services {
            let key = (service_type.clone(), pool.clone(), node.clone());
            self.shown.entry(key).or_insert((token, 0)).1 += 1;
        }
        self.held.insert(node.clone(), held);
    }

    /// Renews the announcement of a node.
    pub fn renew(&mut self, node: &str, accepted: Accepted) {
        if let Some(held) = self.held.get_mut(node) {
            held.accepted = accepted;
        }
    }

    /// Removes a node.
    pub fn remove(&mut self, node: &Name) {
        let Some(held) = self.held.remove(node) else {
            return;
        };
        for (service_type, pool) in held.services {
            self.shown.remove(&(service_type, pool, node.clone()));
        }
    }

    /// Returns the services that a lookup shows, sorted.
    pub fn services(
        &self,
        service_type: Option<&Name>,
        pool: Option<&Name>,
    ) -> Vec<RecordedService> {
        let least = Name::from("");
        let from = (
            service_type.unwrap_or(&least).clone(),
            service_type.and(pool).unwrap_or(&least).clone(),
            least,
        );
        let is_pool = |other: &Name| pool.is_none_or(|pool| pool == other);
        let is_type = |other: &Name| service_type.is_none_or(|service_type| service_type == other);
        let has_pool_order = service_type.is_some();
        let mut services = Vec::new();
        for ((service_type, pool, node), &(token, times)) in self.shown.range(from..) {
            if !is_type(service_type) || has_pool_order && !is_pool(pool) {
                break;
            }
            if is_pool(pool) {
                let service = RecordedService {
                    service_type: service_type.clone(),
                    pool: pool.clone(),
                    node: node.clone(),
                    token,
                };
                services.extend(std::iter::repeat_n(service, times));
            }
        }
        services
    }
}
