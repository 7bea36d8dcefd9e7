//! Consensus behind one façade, [`Node`]. It and the storage alone name openraft.

mod change;
mod changes;
mod committed_log;
mod corruption_check;
mod crowd;
mod decision;
mod entry_size;
mod errors;
mod evidence;
mod feeds;
mod forming;
mod founding;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod group;
mod hand_over;
mod health;
mod hearing;
mod identity;
mod join;
mod laggards;
mod leader;
mod level;
mod lifecycle;
mod locks;
mod log_target;
mod lookup_result;
mod membership;
mod network;
mod newcomers;
mod node;
mod options;
mod ordered_write;
mod peer;
mod peer_checks;
mod peer_state;
mod peers;
#[cfg(feature = "sim")]
mod probe;
mod proposer;
mod pulse;
mod raft_metrics;
mod read_index;
mod reads;
mod refusals;
mod replica;
mod report;
mod retention;
mod self_image;
mod service;
mod space;
mod state_machine;
mod status;
mod tasks;
mod tick_journal;
mod tick_timing;
mod ticker;
mod turns;
mod vigil;
mod vouching;
mod wishes;
mod writes;

#[cfg(feature = "sim")]
pub use crate::storage::rng::seed_thread;
pub use crate::storage::types::{Member, Proposal, RaftId, TypeConfig};
pub use changes::LookupChange;
pub use committed_log::{CommittedEntry, Content, Effect, committed_log};
pub use errors::{StartError, Unavailable, WriteError};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use feeds::Feeds;
pub use feeds::{Feed, Wake};
pub use lookup_result::{Answer, Progress};
pub use node::Node;
pub use options::{LogLimits, Options};
pub use peer::{Dial, PEER_PATH, PeerStream, UPGRADE_TOKEN};
#[cfg(feature = "sim")]
pub use probe::{LoggedEntry, Probe};
pub use status::{GroupState, MemberStatus, Role, Status};
