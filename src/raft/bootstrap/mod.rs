//! Discovery and founding of a node's group.
//!
//! - `group_discovery` asks the peers until this node has a group.
//! - `decision` decides on the next step from the answers of the peers.
//! - `initialize` makes the node a voter: founders initialize the group, other nodes ask to join.
//! - `rejections` logs the rejected peers.
//! - `error` defines the errors of the queries and the requests.

pub(super) mod decision;
mod error;
pub(super) mod group_discovery;
pub(super) mod initialize;
pub(super) mod rejections;
