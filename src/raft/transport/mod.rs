//! Server-to-server traffic: length-framed messages on an upgraded connection of the single HTTP
//! port.
//!
//! A connection opens with [`Hello`], which names the cluster, the sender and the receiver. A hello
//! is refused before anything else is read if it names the wrong receiver, or if the sender is not
//! the node that it claims to be.
//!
//! - `messages` defines the messages, `frame` encodes them, and `message_checks` validates them.
//! - `connection` is the client side of a connection, and `listener` is the server side.
//! - `dial`, `peer_address`, `address_race`, `resolver` and `dial_tls` make a connection. `error`
//!   has the errors of a call.
//! - `peer_security` defines the proofs that the two ends give to each other first.
//! - `peers` keeps the connections to the members, with a `peer_state` for each member.
//!   `raft_network` gives openraft access to these connections.
//! - `identity` and `local_member` describe a node to its peers.
//! - `non_members` limits the connections of nodes that are not members.

mod address_race;
mod connection;
mod dial;
mod dial_tls;
mod error;
mod frame;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
pub(super) mod identity;
mod listener;
pub(super) mod local_member;
pub(super) mod message_checks;
mod messages;
mod non_members;
mod peer_address;
mod peer_security;
pub(super) mod peer_state;
pub(super) mod peers;
pub(super) mod raft_network;
mod resolver;

pub(crate) use connection::{Channel, PeerClient};
pub(crate) use dial::Dialer;
pub use dial::{Dial, PEER_PATH, PROOF_TOKEN, PeerStream, UPGRADE_TOKEN};
pub use error::{CallError, CallFailure};
pub(crate) use listener::{PeerService, serve};
pub(crate) use messages::{
    Forwarded, GroupInfo, Hello, HelloReply, JoinRequest, JoinResponse, MESSAGES_VERSION,
    MemberFacts, PeerIdentity, PeerStatus, Request, Response, SnapshotChunk, StateDigest,
    WriteResult,
};
pub(crate) use non_members::NonMembers;
pub(crate) use peer_address::certified_host;
pub use peer_security::{PeerCredentials, PeerProof, PeerSecurity};
pub(crate) use peer_state::ReportedFacts;
