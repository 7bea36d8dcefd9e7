//! Clients that speak a node's protocols, and loads that consist of many clients.

pub mod engine_tokens;
pub mod engines_secret;
pub mod events;
pub mod http;
pub mod http2;
pub mod many_clients;
pub mod peer_wire;
pub mod recorded;
pub mod rivals;
pub mod tls;
pub mod traffic;
pub mod workers;
