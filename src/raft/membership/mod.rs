//! Membership and leadership of the group.
//!
//! - `handle_join` accepts the join requests of emptied nodes.
//! - `replace_member` makes an emptied node a learner, and later a voter in place of its old
//!   incarnation.
//! - `learners` finds the learners to remove.
//! - `change` proposes membership changes, and finishes changes that a dead leader left half done.
//! - `transfer_leadership` gives the leadership to another voter.
//! - `feature_level` raises the feature level of commands during an upgrade.

pub(super) mod change;
pub(super) mod feature_level;
pub(super) mod handle_join;
pub(super) mod learners;
pub(super) mod replace_member;
pub(super) mod transfer_leadership;
