//! Simulates a whole cluster in one thread. One seed determines the whole run.
//!
//! The simulation combines the real registry, façade ([`quorate::raft::Node`]), store and openraft
//! with turmoil's network and clocks and with simulated disks. The seed determines the size of the
//! cluster, its network, every fault, every client, and the order of everything.
//!
//! | file | purpose |
//! |---|---|
//! | `cluster` | one run: faults, healing, and checks after every step |
//! | `faults` | the injected faults, and their distribution |
//! | `host` | one node's process, its device, and its clients |
//! | `network` | the replacement of TCP |
//! | `many`, `report` | many seeds on all cores, and the report of each |
//! | `records` | the committed log, and the requests of clients, checked against each other |
//! | `nodes` | the state of nodes after every step, checked against the history |
//! | `settings` | the settings of a run, and the bugs that can be planted in it |
//! | `rng`, `trace`, `world` | random numbers, the trace, shared state |
//!
//! The checks, with the names that openraft uses for its own invariants:
//!
//! - *leader completeness*: a new leader has the last committed entry that an earlier leader
//!   proposed. openraft orders leaders by term and raft id. One term may therefore have two
//!   leaders.
//! - *log matching*, *state machine safety*: an entry that one node considers committed is the same
//!   on all nodes, with the same leader and content.
//! - *commit on a quorum*: a committed entry is on the disks of a majority of the voters. In a
//!   joint membership, it is on the disks of a majority of each of the two sets of voters.
//! - *monotonic vote*: the vote on a node's disk never decreases, even across crashes. *monotonic
//!   commit* and *monotonic apply*: the committed and applied indexes never decrease within a
//!   process.
//! - *monotonic leaders*: along the committed log, leaders (by term and raft id) never decrease.
//! - *equal states*: nodes that have applied the same index have the digest that results from the
//!   committed log.
//! - *acknowledged writes*: the entry at the acknowledged index contains the write.
//! - *linearizable lookups*: the result of a lookup is the state of the committed log at the index
//!   of the result. Before the lookup began, no client had received a higher index.
//! - *order of writes*: no write has an effect after an acknowledged write of the same node id that
//!   began later. Each change in the log was requested by a client, and the client's request was
//!   not refused.
//! - *refusals in time*: no lookup and no write takes longer than its client waits.
//! - *no early expiry*: no node expires before max-age has passed since its last renewal was
//!   committed.
//! - *liveness*: once healed, all nodes are voters under one leader, have the same state, and serve
//!   reads and writes.

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
pub use report::SimReport;
pub use settings::Planted;
