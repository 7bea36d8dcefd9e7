//! Membership and leadership of the group.

pub(super) mod change;
pub(super) mod feature_level;
pub(super) mod handle_join;
pub(super) mod learners;
pub(super) mod replace_member;
pub(super) mod transfer_leadership;
