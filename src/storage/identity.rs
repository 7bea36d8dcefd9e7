//! Who a data directory is.

use serde::{Deserialize, Serialize};

/// Who a data directory is, kept beside the log so that the two cannot disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The `node.id` that the directory was made for.
    pub node_id: String,
    /// Drawn at random when the directory was made, or emptied.
    pub incarnation: u64,
    /// The `node.environment`.
    pub environment: String,
    /// The group that it belongs to; `None` until there is one.
    pub group: Option<GroupIdentity>,
    /// What it holds was found to differ from what the other members hold: it is not to be opened again.
    pub diverged: bool,
}

/// The group that a data directory belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupIdentity {
    /// A digest of what formed the group.
    pub cluster_id: u64,
    /// `node.id`, incarnation and address of those that formed it, sorted.
    pub founders: Vec<(String, u64, String)>,
    /// Whether the directory joined a group that was there before it.
    pub joined_late: bool,
}
