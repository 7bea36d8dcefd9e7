//! The body of a snapshot, as openraft hands it on.

use super::types::TypeConfig;
use crate::registry::Registry;
use bytes::Bytes;
use openraft::type_config::alias::SnapshotOf;

/// A snapshot with its body.
pub(super) type RaftSnapshot = SnapshotOf<TypeConfig, SnapshotBody>;

/// Where the body of a snapshot is.
pub(super) enum SnapshotBody {
    /// On disk: openraft asks for it when a member needs it.
    OnDisk,
    /// Here, to be sent.
    Encoded(Bytes),
    /// Received, checked, and read already: bytes and registry together would take too much memory.
    Restored(Box<Registry>),
}
