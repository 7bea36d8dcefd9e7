//! Server-to-server traffic: length-framed messages on an upgraded connection of the single HTTP
//! port.
//!
//! A connection opens with [`Hello`], which names the cluster, the sender and the receiver. A hello
//! that names the wrong receiver is refused before anything else is read. A sender that is not the
//! node it claims to be is refused at the same point.
//!
//! - `messages` defines the messages, `frame` encodes them, `message_checks` validates them.
//! - `connection` is the client side of a connection and `listener` the server side; `dial`,
//!   `address_race` and `resolver` make a connection. `error` has the errors of a call.
//! - `peers` keeps the connections to the members and a `peer_state` for each; `raft_network` gives
//!   openraft access to them.
//! - `identity` and `local_member` describe a node to its peers, and `non_members` limits the
//!   connections of nodes that are not members.

mod address_race;
mod connection;
mod dial;
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
pub(super) mod peer_state;
pub(super) mod peers;
pub(super) mod raft_network;
mod resolver;

pub(crate) use connection::{Channel, PeerClient};
pub(crate) use dial::Dialer;
pub use dial::{Dial, PEER_PATH, PeerStream, UPGRADE_TOKEN};
pub use error::{CallError, CallFailure};
pub(crate) use listener::{PeerService, serve};
pub(crate) use messages::{
    Forwarded, GroupInfo, Hello, HelloReply, JoinRequest, JoinResponse, MESSAGES_VERSION,
    PeerIdentity, PeerStatus, Request, Response, SnapshotChunk, StateDigest, WriteResult,
};
pub(crate) use non_members::NonMembers;
