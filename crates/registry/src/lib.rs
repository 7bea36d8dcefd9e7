//! The pure state machine: commands in, outcomes out. No time of day, no randomness, no I/O.
//!
//! | file | what it is for |
//! |---|---|
//! | `command` | what the log carries, and what comes of it |
//! | `order` | what a write knows of the writes before it |
//! | `level` | the levels of commands and state |
//! | `registry` | the state |
//! | `state` | its parts: nodes, static services, the index of types, what was removed, what lookups show |
//! | `apply` | what each command does |
//! | `query` | lookups, and where the coordinators are |
//! | `digest` | one number for the whole state, kept up to date |
//! | `snapshot` | the state as bytes, and back |
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

pub use apply::capacity::{MAX_LOCATION_BYTES, MAX_SERVICES};
pub use command::{Batch, Command, Outcome};
pub use level::{LEVEL, LEVEL_OF_ORDER};
pub use order::{Arrival, Leadership, Tail};
pub use registry::Registry;
pub use snapshot::{BadSnapshot, Image};
pub use state::changes::Change;
pub use state::cost::MAX_HELD_BYTES;
pub use state::node_entry::Held;
pub use state::rendered::Rendered;
