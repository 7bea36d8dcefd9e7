//! The body of a snapshot, as openraft hands it on.

use crate::registry::Registry;
use crate::storage::types::TypeConfig;
use bytes::Bytes;
use openraft::type_config::alias::SnapshotOf;

/// A snapshot with its body.
pub(crate) type RaftSnapshot = SnapshotOf<TypeConfig, SnapshotBody>;

/// Where the body of a snapshot is.
pub(crate) enum SnapshotBody {
    /// On disk: openraft asks for it when a member needs it.
    OnDisk,
    /// Here, to be sent.
    Encoded(Bytes),
    /// Received, checked, and read already: bytes and registry together would take too much memory.
    Restored(Box<Registry>),
}
