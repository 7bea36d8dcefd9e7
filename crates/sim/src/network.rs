//! The simulated network: peers connect through turmoil's TCP, without the HTTP upgrade of real
//! connections.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quorate::raft::{Dial, PeerStream};
use std::io;
use turmoil::net::TcpStream;

/// The port of every node.
pub const PORT: u16 = 8411;

/// Returns the name of a host.
pub fn name_of(host: usize) -> String {
    format!("node{host}")
}

/// Returns the address of a host, as in inventories.
pub fn address_of(host: usize) -> String {
    format!("http://{}:{PORT}", name_of(host))
}

/// The dialer of the simulated network.
pub struct SimNetwork;

impl Dial for SimNetwork {
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn PeerStream>>> {
        async move {
            let host = address.strip_prefix("http://").unwrap_or(address);
            let stream = TcpStream::connect(host.to_owned()).await?;
            Ok(Box::new(stream) as Box<dyn PeerStream>)
        }
        .boxed()
    }
}
