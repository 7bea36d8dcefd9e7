//! The pure state machine: commands in, outcomes out. It uses no time of day, no randomness and no
//! I/O.
//!
//! | file | purpose |
//! |---|---|
//! | `command` | the commands in the log, and their outcomes |
//! | `order` | the order of writes of one node |
//! | `level` | the feature levels of the commands and the state |
//! | `registry` | the state |
//! | `state` | nodes, static services, the index of types, tombstones, cached lookups |
//! | `apply` | the effect of each command |
//! | `query` | lookups, and the addresses of coordinators |
//! | `digest` | a digest of the whole state |
//! | `snapshot` | serializes and restores the state |
//! | `model` | the wire types and their exact JSON |

mod apply;
mod command;
mod digest;
mod level;
pub mod model;
mod order;
mod query;
mod registry;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;

pub use apply::capacity::MAX_SERVICES;
pub use command::{Batch, Command, Outcome};
pub use level::{LEVEL, LEVEL_OF_ORDER};
pub use model::MAX_LOCATION_BYTES;
pub use order::{Arrival, Leadership, Tail};
pub use registry::Registry;
pub use snapshot::{BadSnapshot, Image};
pub use state::changes::Change;
pub use state::cost::MAX_HELD_BYTES;
pub use state::node_counts::NodeCounts;
pub use state::node_entry::NodeEntry;
pub use state::rendered::Rendered;
