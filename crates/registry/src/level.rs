//! Feature levels: versions of the commands in the log and of the state, so that nodes of two
//! releases can run together during an upgrade.

/// The highest feature level of commands and state that this release knows.
///
/// - Level 1: the commands and the state of the first release.
/// - Level 2: a node whose announcement has no service id in common with its previous one counts as
///   joined again ([`NodeEntry::joined_index`](crate::NodeEntry::joined_index)).
/// - Level 3: the element of a node (the part of the state's digest that covers this node) is
///   computed with SipHash instead of SHA-256.
/// - Level 4: writes carry the evidence of the receiving node ([`Arrival`](crate::Arrival)), and an
///   announcement has at most [`MAX_SERVICES`](crate::MAX_SERVICES) services. The memory limit
///   counts the actual cost of announcements and static services
///   ([`MAX_HELD_BYTES`](crate::MAX_HELD_BYTES)).
///
/// A later release that adds a command or a field raises the level. The leader proposes a
/// [`Command::Level`](crate::Command::Level) when every voter knows the new level. The new command
/// or field is used only after the `Command::Level`.
pub const LEVEL: u32 = 4;

/// The level from which a node counts as joined again when another process announces under the same
/// node id.
pub(crate) const LEVEL_OF_PROCESSES: u32 = 2;

/// The level from which the element of a node (the part of the state's digest that covers this
/// node) is computed with SipHash. Each renewal computes two elements on each member. On a
/// processor without instructions for SHA-256, the cost of SHA-256 was noticeable
/// (docs/PERFORMANCE.md).
pub(crate) const LEVEL_OF_SIPHASH: u32 = 3;

/// The level from which a write carries its [`Arrival`](crate::Arrival).
pub const LEVEL_OF_ORDER: u32 = 4;

/// The level from which the size of one announcement is limited (`apply::capacity`). From this
/// level on, announcements and static services count by their actual cost (`state::cost`).
pub(crate) const LEVEL_OF_LIMITS: u32 = 4;
