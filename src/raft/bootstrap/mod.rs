//! How a node finds its group, or founds it.

pub(super) mod decision;
pub(super) mod group_discovery;
pub(super) mod initialize;
pub(super) mod rejections;
