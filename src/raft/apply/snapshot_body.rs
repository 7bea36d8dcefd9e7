//! The body of a snapshot, in the forms in which openraft passes it on.

use crate::registry::Registry;
use crate::storage::types::TypeConfig;
use bytes::Bytes;
use openraft::type_config::alias::SnapshotOf;

/// A snapshot with its body.
pub(crate) type RaftSnapshot = SnapshotOf<TypeConfig, SnapshotBody>;

/// The location of the body of a snapshot.
pub(crate) enum SnapshotBody {
    /// On disk. openraft requests the body when a member needs it.
    OnDisk,
    /// In memory, to be sent.
    Encoded(Bytes),
    /// Received, checked and decoded. The received bytes are not kept, because together with the
    /// registry they would take too much memory.
    Restored(Box<Registry>),
}
