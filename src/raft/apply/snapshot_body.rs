//! The body of a snapshot, in the forms in which openraft passes it on.

use crate::registry::Registry;
use crate::storage::types::TypeConfig;
use bytes::Bytes;
use openraft::type_config::alias::SnapshotOf;

/// A snapshot with its body.
pub(crate) type RaftSnapshot = SnapshotOf<TypeConfig, SnapshotBody>;

/// The body of a snapshot, in one of three forms.
pub(crate) enum SnapshotBody {
    /// The body is on disk. openraft requests it when a member needs it.
    OnDisk,
    /// The body is in memory, encoded, to be sent.
    Encoded(Bytes),
    /// The body was received, checked and decoded. The received bytes are not kept, because
    /// together with the registry they would take too much memory.
    Restored(Box<Registry>),
}
