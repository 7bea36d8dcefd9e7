//! Levels: the changes to commands and state that came one after the other.

/// The highest level of commands and state that this release knows.
///
/// | level | from it on |
/// |---|---|
/// | 1 | |
/// | 2 | a node whose announcement shares no service id with the one before joins anew |
/// | 3 | the elements of nodes in the state's digest are of SipHash |
/// | 4 | writes carry what their taker knew at their arrival; an announcement has at most [`MAX_SERVICES`](crate::MAX_SERVICES); entries count for what they cost |
///
/// A later release that adds a command or a field raises it, and uses what it added only after a
/// [`Command::Level`](crate::Command::Level), which the leader proposes when every voter knows that level.
pub const LEVEL: u32 = 4;

/// From this level on, another process under a node's id joins anew.
pub(crate) const LEVEL_OF_PROCESSES: u32 = 2;

/// From this level on a node's element in the digest is of SipHash. Each renewal computes two on each node, and SHA-256 showed there on a
/// processor that has no instructions for it (docs/ARCHITECTURE.md).
pub(crate) const LEVEL_OF_SIPHASH: u32 = 3;

/// From this level on a write carries its [`Arrival`](crate::Arrival).
pub const LEVEL_OF_ORDER: u32 = 4;

/// From this level on announcements have limits of their own, and what is held counts for what it
/// costs (`cost`).
pub(crate) const LEVEL_OF_LIMITS: u32 = 4;
