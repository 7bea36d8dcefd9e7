//! Consensus behind one façade, [`Node`]. The only place that names openraft.

mod chance;
mod changes;
mod committed_log;
mod crowd;
mod decision;
pub mod disk;
mod errors;
mod evidence;
mod feeds;
mod forming;
mod founding;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod group;
mod hand_over;
mod hearing;
mod identity;
mod laggards;
mod leader;
mod level;
mod locks;
mod membership;
mod network;
mod newcomers;
mod node;
mod options;
mod ordered_write;
mod peer;
mod peer_checks;
mod peers;
#[cfg(feature = "sim")]
mod probe;
mod pulse;
mod reads;
mod replica;
mod report;
mod retention;
mod service;
mod snapshot_body;
mod space;
mod state_machine;
mod status;
mod tick_journal;
mod ticker;
mod turns;
mod types;
mod vigil;
mod vouching;
mod writes;

#[cfg(feature = "sim")]
pub use chance::seed_thread;
pub use changes::LookupChange;
pub use committed_log::{CommittedEntry, Content, Effect, committed_log};
pub use errors::{StartError, Unavailable, WriteError};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use feeds::Feeds;
pub use feeds::{Feed, Wake};
pub use node::{Answer, Node, Progress};
pub use options::Options;
pub use peer::{Dial, PEER_PATH, PeerStream, UPGRADE_TOKEN};
#[cfg(feature = "sim")]
pub use probe::{LoggedEntry, Probe};
pub use retention::LogLimits;
pub use status::{GroupState, MemberStatus, Role, Status};
pub use types::{Member, Proposal, RaftId, TypeConfig};
