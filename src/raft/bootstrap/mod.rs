//! Discovery and founding of a node's group.

pub(super) mod decision;
pub(super) mod group_discovery;
pub(super) mod initialize;
pub(super) mod rejections;
