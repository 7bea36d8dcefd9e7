//! The whole cluster in one thread, decided by one seed.
//!
//! Real registry, real façade ([`quorate::raft::Node`]), real store and openraft, on turmoil's network and clocks and on
//! simulated disks. The seed decides the size of the cluster, its network, every fault, every client, and the order of
//! everything.
//!
//! | file | what it is for |
//! |---|---|
//! | `cluster` | one run: faults, then healing, with the checks after every step |
//! | `faults` | what is done to the cluster, and when |
//! | `host` | one node's process, its device, and the clients that ask it |
//! | `network` | what stands in for TCP |
//! | `many`, `report` | many seeds, on all cores, and what each came to |
//! | `records` | what was committed, what clients were told and wrote, held against each other |
//! | `nodes` | what nodes show after every step, held against the history and against what they showed before |
//! | `settings` | the settings of a run, and the errors that can be planted in it |
//! | `rng`, `trace`, `world` | the seed's numbers, what happened, what all of these share |
//!
//! The checks, with the names that openraft gives its own:
//!
//! - *election safety*: a term and a node lead once, and of two leaders the later holds whatever was committed before it
//!   (*leader completeness*). openraft orders leaders by term and id, so that two may come in one term.
//! - *log matching*, *state machine safety*: what one node holds for committed, all hold, with the same leader and content.
//! - *commit on a quorum*: what is committed is on the disks of a majority of the voters; of both in a joint membership.
//! - *monotonic vote*: also over crashes, as read from the disk. *Monotonic commit* and *monotonic apply*: within a process.
//! - *monotonic leaders*: along the committed log the leaders only get later.
//! - *equal states*: nodes that have applied the same index have the digest that the committed log makes.
//! - *acknowledged writes*: the entry at the acknowledged index holds the write.
//! - *linearizable lookups*: an answer is the committed log's state at its index, and that index is no less than any that
//!   was acknowledged before the lookup began.
//! - *order of writes*: a write that began before another one of the same node id has no effect
//!   after that one, if that one was
//!   acknowledged. Each entry that changes a node was asked for, and none was refused.
//! - *refusals in time*: no lookup and no write takes longer than its client waits.
//! - *no early expiry*: nothing expires before max-age has passed since its last renewal was committed.
//! - *liveness*: once healed, all nodes are voters of one leader, hold the same and serve reads and writes.

mod cluster;
mod faults;
mod host;
mod many;
mod network;
mod nodes;
mod records;
mod report;
mod rng;
mod settings;
mod trace;
mod world;

pub use cluster::run;
pub use many::{Said, run_apart, run_seeds};
pub use report::Report;
pub use settings::Planted;
