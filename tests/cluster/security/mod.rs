//! Tests of authentication: who may act as a member of a group, and how a group is changed to
//! demand proofs while it serves.

mod certificates;
mod engines;
mod handshakes;
mod https;
mod impostors;
mod peer_certificates;
mod peers;
mod policy;
mod rolling_change;
mod secrets;

use crate::support::secured as fixtures;
