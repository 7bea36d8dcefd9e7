//! The pure state machine: commands in, outcomes out. No time of day, no randomness, no I/O.
//!
//! | file | what it is for |
//! |---|---|
//! | `command` | what the log carries, and what comes of it |
//! | `level` | the levels of commands and state |
//! | `registry` | the state |
//! | `apply` | what each command does |
//! | `node`, `statics` | the writes of nodes, and static services |
//! | `order` | what a write knows of the writes before it |
//! | `changes` | what an entry did to each type and pool, for those who follow them |
//! | `coordinators` | where the coordinators are |
//! | `cost`, `limits` | what entries count for, and which are too large |
//! | `by_id`, `by_type_and_pool` | services side by side, and sorted |
//! | `growing` | a body while it is written |
//! | `ticks` | cluster time: grace, deadlines, expiry |
//! | `regroup` | moves a node between types and pools |
//! | `held`, `static_entry`, `groups`, `removals` | the parts of the state |
//! | `lookup`, `rendered` | the bytes of lookups, made once for each change |
//! | `digest` | one number for the whole state, kept up to date |
//! | `snapshot` | the state as bytes, and back |
//! | `model` | the wire types and their exact JSON |

mod apply;
mod by_id;
mod by_type_and_pool;
mod changes;
mod command;
mod coordinators;
mod cost;
mod digest;
mod groups;
mod growing;
mod held;
mod level;
mod limits;
mod lookup;
pub mod model;
mod node;
mod order;
mod registry;
mod regroup;
mod removals;
mod rendered;
mod snapshot;
mod static_entry;
mod statics;
#[cfg(test)]
mod tests;
mod ticks;

pub use changes::Change;
pub use command::{Batch, Command, Outcome};
pub use cost::MAX_HELD_BYTES;
pub use held::Held;
pub use level::{LEVEL, LEVEL_OF_ORDER};
pub use limits::{MAX_LOCATION_BYTES, MAX_SERVICES};
pub use order::{Arrival, Leadership, Tail};
pub use registry::Registry;
pub use rendered::Rendered;
pub use snapshot::{BadSnapshot, Image};
