//! The discovery nodes of one environment.

use super::problem::{BadInventory, InventoryProblem};
use sha2::{Digest, Sha256};

/// The discovery nodes of one environment.
///
/// - Between 1 and [`MEMBERS_MAX`](crate::model::MEMBERS_MAX) entries, sorted by node id.
/// - Node ids are distinct, and so are addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// The environment that the file is for.
    pub environment: String,
    /// The discovery nodes, sorted by node id.
    pub entries: Vec<InventoryEntry>,
    /// The file or URI from which the inventory was read, for messages.
    pub(super) source: String,
}

/// One discovery node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryEntry {
    /// The `node.id` of the discovery node.
    pub node_id: String,
    /// The base address of the discovery node: `http://host:port`, without a path.
    pub address: String,
}

impl InventoryEntry {
    /// Returns the port of the address.
    pub fn port(&self) -> Option<u16> {
        self.address.rsplit(':').next()?.parse().ok()
    }
}

impl Inventory {
    /// Returns this node's own entry.
    ///
    /// # Errors
    /// Returns an error that lists the ids if the node is not listed.
    pub fn own(&self, node_id: &str) -> Result<&InventoryEntry, BadInventory> {
        let own = self.entries.iter().find(|entry| entry.node_id == node_id);
        own.ok_or_else(|| {
            let listed: Vec<&str> = self
                .entries
                .iter()
                .map(|entry| entry.node_id.as_str())
                .collect();
            self.bad(InventoryProblem::NotListed {
                node_id: node_id.to_owned(),
                listed: listed.join(", "),
            })
        })
    }

    /// Returns every entry except this node's own.
    pub fn peers<'a>(&'a self, node_id: &'a str) -> impl Iterator<Item = &'a InventoryEntry> {
        self.entries
            .iter()
            .filter(move |entry| entry.node_id != node_id)
    }

    /// Checks that the inventory is for this environment.
    ///
    /// # Errors
    /// Returns an error with both names if it is for another environment.
    pub fn require_environment(&self, environment: &str) -> Result<(), BadInventory> {
        if self.environment == environment {
            return Ok(());
        }
        Err(self.bad(InventoryProblem::Environment {
            found: self.environment.clone(),
            expected: environment.to_owned(),
        }))
    }

    /// Returns a digest of the environment and the sorted node ids. Two nodes whose inventories
    /// have equal digests are configured for the same group. Addresses are excluded, because two
    /// nodes may know a peer by different names.
    pub fn digest(&self) -> u64 {
        let mut hash = Sha256::new();
        let ids = self.entries.iter().map(|entry| &entry.node_id);
        for part in std::iter::once(&self.environment).chain(ids) {
            // The length distinguishes `ab`,`c` from `a`,`bc`.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        digest
            .iter()
            .take(8)
            .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }

    fn bad(&self, problem: InventoryProblem) -> BadInventory {
        BadInventory {
            file: self.source.clone(),
            problem,
        }
    }
}
