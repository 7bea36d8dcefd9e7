//! The identity of a data directory.

use serde::{Deserialize, Serialize};

/// The identity of a data directory. It is stored in the same database as the log, so that the
/// identity and the log cannot disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The `node.id` that the directory was created for.
    pub node_id: String,
    /// A random number, drawn when the directory was created or wiped.
    pub incarnation: u64,
    /// The `node.environment`.
    pub environment: String,
    /// The group that the directory belongs to; `None` before the node has joined a group.
    pub group: Option<GroupIdentity>,
    /// Whether the content of the directory was found to differ from that of the other members.
    /// Such a directory must not be opened again.
    pub diverged: bool,
}

/// The group that a data directory belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupIdentity {
    /// A digest of the environment and the founders that the group was formed with.
    pub cluster_id: u64,
    /// The `node.id`, incarnation and address of each founding member, sorted.
    pub founders: Vec<(String, u64, String)>,
    /// Whether the directory joined a group that already existed.
    pub joined_late: bool,
}
