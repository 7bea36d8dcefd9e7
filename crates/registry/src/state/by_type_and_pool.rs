//! The services of a node, grouped by type and pool.

use crate::state::borrowed::{BorrowedAnnouncement, BorrowedService};
use std::collections::BTreeMap;

/// A node's services by type and pool, each group sorted by id.
pub(crate) type Parts<'a, 'b> = BTreeMap<(&'a str, &'a str), Vec<&'b BorrowedService<'a>>>;

/// Groups a node's services by type and pool.
pub(crate) fn parts<'a, 'b>(node: Option<&'b BorrowedAnnouncement<'a>>) -> Parts<'a, 'b> {
    let mut parts = Parts::new();
    if let Some(node) = node {
        for service in &node.services {
            parts
                .entry((service.service_type, node.pool))
                .or_default()
                .push(service);
        }
    }
    parts
}
