//! The errors of an inventory.

use super::limits::{INVENTORY_BYTES_MAX, MEMBERS_MAX};
use thiserror::Error;

/// An invalid inventory, with the location of the problem.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}: {problem}")]
pub struct BadInventory {
    /// The file or URI.
    pub file: String,
    /// The problem.
    pub problem: InventoryProblem,
}

/// A problem of an inventory.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InventoryProblem {
    /// Larger than [`INVENTORY_BYTES_MAX`].
    #[error("is larger than {INVENTORY_BYTES_MAX} bytes")]
    TooLarge,
    /// The file is empty.
    #[error("is empty")]
    Empty,
    /// Encoded as UTF-16 or UTF-32 rather than UTF-8, according to its byte order mark.
    #[error("is {0}: save it as UTF-8")]
    Encoding(&'static str),
    /// Not valid JSON.
    #[error("is not JSON: {0}")]
    NotJson(String),
    /// A field outside the entries is missing or has the wrong type.
    #[error("{field}: {what}")]
    Field {
        /// The field.
        field: &'static str,
        /// The expected value.
        what: &'static str,
    },
    /// A field of an entry is missing, has the wrong type or is malformed.
    #[error("services[{index}]{}: {field}: {what}", named(node_id))]
    Entry {
        /// The position of the entry in `services`, from 0.
        index: usize,
        /// The node id of the entry, if the entry has one.
        node_id: Option<String>,
        /// The field.
        field: &'static str,
        /// The problem with the field.
        what: String,
    },
    /// No entry of type `discovery`.
    #[error("has no service of type `discovery`")]
    NoDiscovery,
    /// More than [`MEMBERS_MAX`] entries of type `discovery`.
    #[error("has {0} services of type `discovery`; at most {MEMBERS_MAX} are allowed")]
    TooMany(usize),
    /// Two entries have the same node id.
    #[error("services[{first}] and services[{second}] have the same nodeId {node_id}")]
    DuplicateNode {
        /// The position of the first entry in `services`, from 0.
        first: usize,
        /// The position of the second entry.
        second: usize,
        /// The node id of both entries.
        node_id: String,
    },
    /// Two nodes have the same address.
    #[error("services[{first}] and services[{second}] have the same address {address}")]
    DuplicateAddress {
        /// The position of the first entry in `services`, from 0.
        first: usize,
        /// The position of the second entry.
        second: usize,
        /// The address of both entries.
        address: String,
    },
    /// The inventory is for another environment.
    #[error("environment: is `{found}`, but node.environment is `{expected}`")]
    Environment {
        /// The environment in the file.
        found: String,
        /// The environment that the node is configured with.
        expected: String,
    },
    /// The node is not listed.
    #[error(
        "has no service of type `discovery` with nodeId {node_id} (node.id); it lists {listed}"
    )]
    NotListed {
        /// The node's own id.
        node_id: String,
        /// The listed ids.
        listed: String,
    },
}

fn named(node_id: &Option<String>) -> String {
    node_id
        .as_ref()
        .map(|id| format!(" (nodeId {id})"))
        .unwrap_or_default()
}
