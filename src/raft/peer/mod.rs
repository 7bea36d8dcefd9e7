//! Server-to-server traffic: length-framed messages on an upgraded connection of the one HTTP port.
//!
//! A connection opens with [`Hello`](messages::Hello), which names cluster, sender and receiver;
//! whoever is meant wrongly, or is not who it says, is refused before anything else is read.

mod dial;
mod frame;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
mod guests;
mod link;
mod messages;
mod names;
mod race;
mod serve;

pub(super) use dial::Dialer;
pub use dial::{Dial, PEER_PATH, PeerStream, UPGRADE_TOKEN};
pub(super) use guests::Guests;
pub(super) use link::{CallError, Lane, Link};
pub(super) use messages::{
    Answer, Checkpoint, Forwarded, GroupView, Hello, Introduction, JoinAnswer, JoinWish,
    MESSAGES_VERSION, Pulse, Request, SnapshotChunk, Welcome, WriteResult,
};
pub(super) use serve::{PeerService, serve};
