//! Raft consensus behind one façade, [`Node`].
//!
//! This module and `storage` are the only ones that name openraft. The rest of the program uses
//! [`Node`] to read, write and watch the registry. The registry is the state machine to which every
//! member applies the log. It is in a separate crate without I/O (`crates/registry`).
//!
//! # Guarantees
//!
//! An operation is *acknowledged* when its method returns `Ok`. docs/PROMISES.md lists the tests of
//! each guarantee.
//!
//! - **Durability.** An acknowledged write is on the synced disks of a majority. Every later lookup
//!   on every node shows the write, provided that the disks of a majority survive and no disk was
//!   restored from a copy.
//! - **Linearizable lookups.** [`Node::lookup`] can be called on any node. It reads the state of
//!   the whole registry at one moment between the call and its return. Only [`Node::lookup_stale`]
//!   and [`Node::coordinators_stale`] may be stale.
//! - **Order of writes of one node id.** If a write A arrives at any node before a write B of the
//!   same node id begins, A never takes effect after B was acknowledged. A write whose order is
//!   uncertain is rejected with [`WriteError::NotApplied`], and its client sends it again.
//! - **At most one proposal.** A write that may have been applied is never proposed again. If its
//!   fate is not known by its deadline, it ends with [`WriteError::Unknown`].
//! - **No early expiry.** An announcement expires only once its max-age has passed, in cluster
//!   time, since its last accepted renewal. Cluster time does not advance without a quorum, and
//!   does not depend on wall clocks. After an outage of more than [`Options::recovery_gap`],
//!   nothing expires for [`Options::recovery_grace`].
//! - **Timely expiry.** In a healthy cluster an announcement that is not renewed expires at most 2
//!   s after its max-age.
//! - **Complete watches.** A [`Watcher`] is notified of every change of its lookups, or reports
//!   that this node may be stale. [`Watcher::since`] never omits a change: it returns `None` when
//!   one may have been dropped from the history.
//! - **Bounded waiting.** Reads and writes that cannot be served fail at about their deadline, with
//!   a reason. The error of a write says whether the write may have been applied.
//!
//! # Division of work with openraft
//!
//! openraft provides the core of the protocol:
//!
//! - terms, votes and elections with pre-vote;
//! - log replication and the commit index;
//! - joint membership changes, and leadership transfer;
//! - snapshot scheduling and transfer;
//! - the heartbeat round that confirms a ReadIndex.
//!
//! The code here implements the interfaces that openraft requires, and everything above the core:
//!
//! - the log, the vote and the snapshots on disk (`storage`), the network
//!   (`transport/raft_network.rs`) and the state machine (`apply/state_machine`);
//! - ReadIndex rounds shared by many reads, and reads that a follower's vote confirms without
//!   heartbeats;
//! - batching, forwarding and ordering of writes;
//! - cluster time, which only a `Tick` in the log moves;
//! - founding a group, replacing the old incarnation of an emptied node, and finishing a membership
//!   change that a dead leader left half done;
//! - digest comparison, which stops a diverged member; leadership transfer before a stop, on a
//!   full disk and when the other members cannot reach the leader; snapshots and purges by bytes.
//!
//! Two features of openraft are deliberately not used. Lease reads depend on clocks, which a paused
//! virtual machine stops. With `enable_leader_restore`, a restarted leader could confirm an index
//! below one that it acknowledged before.
//!
//! # The life of a write
//!
//! 1. [`Node::announce`] or [`Node::withdraw`] calls `consensus/ordered_write.rs`. The write takes
//!    a ticket behind earlier writes of its node id (`queue/keyed_mutex.rs`). As evidence of its
//!    arrival, the write records the log positions that this node knows of (`apply/evidence.rs`).
//!    The write waits until the earlier writes are decided. If the registry already has the same
//!    announcement, the command is a short renewal that carries only the digest.
//! 2. The command enters this node's queue (`queue/write_queue.rs`). Commands that arrive while a
//!    batch is in flight form the next batch. Under load a batch also waits briefly for the next
//!    requests of clients that were just answered (`queue/batcher.rs`).
//! 3. `consensus/proposer.rs` sends the batch. The leader proposes it as one log entry; a follower
//!    forwards it to the leader, where its commands enter the leader's queue.
//! 4. openraft appends the entry and replicates it. Each member's log writer puts all waiting
//!    entries into one frame with one fdatasync. The entry is committed once it is on the disks of
//!    a majority.
//! 5. Each member applies the entry (`apply/state_machine`, `apply/replica.rs`). The registry
//!    compares the evidence of each command with the last write of the node id, and gives the
//!    command an outcome. The subscribers of the changed lookups are notified (`watch`).
//! 6. The leader notifies the followers to which the entry has not been sent yet
//!    (`consensus/commit_notice.rs`) and returns the outcomes. An applied write returns the entry's
//!    index. A renewal that found nothing to renew is followed by the full announcement with the
//!    original evidence. A superseded write is rejected.
//!
//! Static services ([`Node::add_static`]) skip step 1, since no other write can supersede them.
//!
//! # The life of a read
//!
//! 1. [`Node::lookup`] waits for a ReadIndex round that starts after the read arrived
//!    (`queue/read_queue.rs`). One round is in flight per node, shared by all reads that were
//!    waiting when it started.
//! 2. `consensus/read_index.rs` runs the round. The leader confirms its leadership with a round of
//!    heartbeats. A follower sends the vote on its disk to the leader. The leader needs no
//!    heartbeats if the two nodes are a majority, both votes are for this leader, and the leader
//!    has committed an entry of its own term (`consensus/follower_vote.rs`). Otherwise the leader
//!    runs a round of heartbeats.
//! 3. The node waits until it has applied the confirmed index (`group/mod.rs`).
//! 4. The result is read from this node's registry (`lookup_result.rs`). The bytes of a lookup are
//!    rendered once per change and shared.
//!
//! A round is abandoned after 500 ms. A failed round is followed by a new round, whose index serves
//! only reads that were waiting before the new round began. A read that is not served by its
//! deadline fails with [`Unavailable`] and the reason.
//!
//! # Where each idea lives
//!
//! | folder or file | idea |
//! |---|---|
//! | `node` | the façade |
//! | `lifecycle.rs`, `tasks.rs`, `group` | the life of a group; the state that its tasks share |
//! | `bootstrap` | finding a group or founding one; only the smallest `node.id` founds |
//! | `membership` | joins, learners, replaced incarnations, leadership transfer, feature level |
//! | `consensus` | proposals, order of writes, ReadIndex rounds, follower votes, commit notices |
//! | `queue` | a mutex for each node id, queues of reads and writes, adaptive batches |
//! | `apply` | the replica, snapshots, evidence, ticks and gaps, the committed log for operators |
//! | `watch` | recent changes and their subscribers |
//! | `monitor` | ticks, status, digests, log size, disk space, failing reads, unreached leader |
//! | `transport` | messages, connections, names and addresses of peers, openraft's network |
//! | `peer_service` | requests of peers, and who may send them |
//! | `error.rs`, `health.rs`, `status.rs`, `report.rs` | errors, and explanations for people |
//! | `counters.rs`, `sample.rs` | counts, and the values that metrics read |
//! | `probe.rs`, `fuzzing.rs` | access for simulations and for fuzzing |

mod apply;
mod bootstrap;
mod consensus;
mod counters;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod group;
mod health;
mod lifecycle;
mod log_target;
mod lookup_result;
mod membership;
mod monitor;
mod node;
mod options;
mod peer_service;
#[cfg(feature = "sim")]
mod probe;
mod queue;
mod report;
mod sample;
mod status;
mod tasks;
mod transport;
mod watch;

#[cfg(feature = "sim")]
pub use crate::storage::rng::seed_thread;
pub use crate::storage::types::{Member, Proposal, RaftId, TypeConfig};
pub use apply::committed_log::{CommittedEntry, EntryContent, EntryEffect, committed_log};
pub use consensus::ordered_write::RegisteredCheck;
pub use error::{
    DiskFull, Divergence, IdentityError, Outage, RaftError, StorageFailure, Unavailable, WriteError,
};
pub use lookup_result::{LookupProgress, LookupResult};
pub use node::Node;
pub use options::{LogRetention, Options};
#[cfg(feature = "sim")]
pub use probe::{LoggedEntry, Probe};
pub use sample::{GroupSample, NodeSample};
pub use status::{
    GroupState, MemberProof, MemberReport, MemberStatus, Role, SecurityStatus, Status,
};
pub use transport::{
    Dial, PEER_PATH, PROOF_TOKEN, PeerCredentials, PeerProof, PeerSecurity, PeerStream,
    UPGRADE_TOKEN,
};
pub use watch::history::LookupChange;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use watch::hub::WatchHub;
pub use watch::hub::{WatchEvent, Watcher};
