//! Consensus behind one façade, [`Node`]. It and the storage alone name openraft.

mod apply;
mod bootstrap;
mod consensus;
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
mod status;
mod tasks;
mod transport;
mod watch;

#[cfg(feature = "sim")]
pub use crate::storage::rng::seed_thread;
pub use crate::storage::types::{Member, Proposal, RaftId, TypeConfig};
pub use apply::committed_log::{CommittedEntry, Content, Effect, committed_log};
pub use error::{StartError, Unavailable, WriteError};
pub use lookup_result::{Answer, Progress};
pub use node::Node;
pub use options::{LogLimits, Options};
#[cfg(feature = "sim")]
pub use probe::{LoggedEntry, Probe};
pub use status::{GroupState, MemberStatus, Role, Status};
pub use transport::{Dial, PEER_PATH, PeerStream, UPGRADE_TOKEN};
pub use watch::history::LookupChange;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use watch::hub::Feeds;
pub use watch::hub::{Feed, Wake};
