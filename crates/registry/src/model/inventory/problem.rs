//! What is wrong with an inventory.

use super::limits::{INVENTORY_BYTES_MAX, MEMBERS_MAX};
use thiserror::Error;

/// An inventory that cannot be used, with the place in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}: {problem}")]
pub struct BadInventory {
    /// The file or URI.
    pub file: String,
    /// What is wrong.
    pub problem: InventoryProblem,
}

/// What can be wrong with an inventory.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InventoryProblem {
    /// Over [`INVENTORY_BYTES_MAX`].
    #[error("is larger than {INVENTORY_BYTES_MAX} bytes")]
    TooLarge,
    /// Nothing in the file.
    #[error("is empty")]
    Empty,
    /// Not UTF-8 but UTF-16 or UTF-32, as its byte order mark says.
    #[error("is {0}: save it as UTF-8")]
    Encoding(&'static str),
    /// Not JSON at all.
    #[error("is not JSON: {0}")]
    NotJson(String),
    /// A field outside the entries is absent or of the wrong kind.
    #[error("{field}: {what}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is expected.
        what: &'static str,
    },
    /// A field of an entry is absent, of the wrong kind or malformed.
    #[error("services[{index}]{}: {field}: {what}", named(node_id))]
    Entry {
        /// The place in `services`, from 0.
        index: usize,
        /// Its node id, when it has one.
        node_id: Option<String>,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// No entry of type `discovery`.
    #[error("has no service of type `discovery`")]
    NoDiscovery,
    /// More than [`MEMBERS_MAX`].
    #[error("has {0} services of type `discovery`; at most {MEMBERS_MAX} are allowed")]
    TooMany(usize),
    /// Two entries with one node id.
    #[error("services[{first}] and services[{second}] have the same nodeId {node_id}")]
    DuplicateNode {
        /// The place of the first.
        first: usize,
        /// The place of the second.
        second: usize,
        /// What both have.
        node_id: String,
    },
    /// Two nodes at one address.
    #[error("services[{first}] and services[{second}] have the same address {address}")]
    DuplicateAddress {
        /// The place of the first.
        first: usize,
        /// The place of the second.
        second: usize,
        /// What both have.
        address: String,
    },
    /// It is for another environment.
    #[error("environment: is `{found}`, but node.environment is `{expected}`")]
    Environment {
        /// What the file says.
        found: String,
        /// What the node is configured with.
        expected: String,
    },
    /// The node is not listed.
    #[error(
        "has no service of type `discovery` with nodeId {node_id} (node.id); it lists {listed}"
    )]
    NotListed {
        /// The node's own id.
        node_id: String,
        /// The ids that are listed.
        listed: String,
    },
}

fn named(node_id: &Option<String>) -> String {
    node_id
        .as_ref()
        .map(|id| format!(" (nodeId {id})"))
        .unwrap_or_default()
}
