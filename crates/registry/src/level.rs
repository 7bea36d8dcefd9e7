//! Levels: versions of the commands and the state.

/// The highest level of commands and state that this release knows.
///
/// - Level 1: the first one.
/// - Level 2: a node whose announcement has no service id in common with the previous one joins
///   anew.
/// - Level 3: the digests of nodes (elements) in the state's digest use SipHash.
/// - Level 4: writes carry the receiving node's knowledge on arrival; an announcement has at most
///   [`MAX_SERVICES`](crate::MAX_SERVICES); entries are counted by their actual cost.
///
/// A later release that adds a command or a field raises the level. It uses the addition only after
/// a [`Command::Level`](crate::Command::Level), which the leader proposes when every voter knows
/// that level.
pub const LEVEL: u32 = 4;

/// The level from which another process with a node's id joins anew.
pub(crate) const LEVEL_OF_PROCESSES: u32 = 2;

/// The level from which the digest of a node (its element) uses SipHash. Each renewal computes two
/// of them on each node; SHA-256 was noticeable there on a processor without instructions for it
/// (docs/ARCHITECTURE.md).
pub(crate) const LEVEL_OF_SIPHASH: u32 = 3;

/// The level from which a write carries its [`Arrival`](crate::Arrival).
pub const LEVEL_OF_ORDER: u32 = 4;

/// The level from which announcements have limits of their own, and entries are counted by their
/// actual cost (`cost`).
pub(crate) const LEVEL_OF_LIMITS: u32 = 4;
