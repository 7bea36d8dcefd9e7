//! A minimal implementation of the protocol between nodes. It can send any message, as a node that
//! is not a member or as a peer that uses a member's name.
//!
//! It is independent of the product's own code, which would refuse to send most of these messages.

use crate::support::node::Node;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Maximum time to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
const HTTP_HEAD_BYTES_MAX: usize = 4096;

/// The kinds of requests of the protocol, as they are numbered on the wire.
pub const PROBE: u8 = 0;
pub const JOIN: u8 = 1;
pub const APPEND: u8 = 4;
pub const SNAPSHOT: u8 = 5;
pub const KINDS: u8 = 10;

/// The id of a log entry, in its wire format.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct LogId {
    pub term: u64,
    pub leader: u64,
    pub index: u64,
}

/// A vote, in its wire format.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Vote {
    pub term: u64,
    pub leader: u64,
    pub is_committed: bool,
}

/// The identity that a node sends in its hello.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PeerIdentity {
    pub node_id: String,
    pub incarnation: u64,
    pub environment: String,
    pub process: u64,
    pub last_log_id: Option<LogId>,
    pub vote_term: u64,
}

impl PeerIdentity {
    /// Returns an identity that belongs to no node of the cluster.
    pub fn of_nobody() -> PeerIdentity {
        PeerIdentity {
            node_id: "nobody".to_owned(),
            incarnation: 1,
            environment: "test".to_owned(),
            process: 1,
            last_log_id: None,
            vote_term: 0,
        }
    }

    /// Returns the raft id that a node with this identity has.
    pub fn raft_id(&self) -> u64 {
        let mut hash = Sha256::new();
        hash.update(b"quorate raft id\0");
        hash.update((self.node_id.len() as u64).to_be_bytes());
        hash.update(self.node_id.as_bytes());
        hash.update(self.incarnation.to_be_bytes());
        let digest = hash.finalize();
        digest
            .iter()
            .take(8)
            .fold(0, |id, byte| (id << 8) | u64::from(*byte))
    }
}

/// The first message of a connection. `to` names the cluster and the raft id of the node that the
/// sender wants to reach.
#[derive(Debug, Clone, Serialize)]
pub struct Hello {
    pub version: u32,
    pub from: PeerIdentity,
    pub to: Option<(u64, u64)>,
}

impl Hello {
    /// Returns the hello that the member `other` would send to `node`.
    pub fn in_the_name_of(other: &Node, node: &Node) -> Result<Hello, Error> {
        let (_, from) = PeerWire::as_non_member(other)?;
        let (_, target) = PeerWire::as_non_member(node)?;
        let status = node.status().ok_or_else(|| Error::other("no status"))?;
        let cluster = status["cluster"].as_str().unwrap_or_default();
        let cluster = u64::from_str_radix(cluster, 16).map_err(Error::other)?;
        Ok(Hello {
            version: 1,
            from,
            to: Some((cluster, target.raft_id())),
        })
    }
}

#[derive(Debug, Deserialize)]
enum HelloReply {
    Accepted(PeerIdentity),
    #[expect(dead_code, reason = "read to be shown")]
    NotYet {
        reason: String,
    },
    #[expect(dead_code, reason = "read to be shown")]
    Refused {
        reason: String,
        fatal: bool,
    },
}

/// An open connection to a node's peer port.
pub struct PeerWire {
    stream: Box<dyn Stream>,
}

trait Stream: Read + Write + Send {}

impl<IO: Read + Write + Send> Stream for IO {}

/// Opens a TCP connection to a node's port.
fn dial(node: &Node) -> Result<TcpStream, Error> {
    let stream = TcpStream::connect_timeout(&node.address(), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

impl PeerWire {
    /// Connects and upgrades the connection, but sends no message yet.
    pub fn connect(node: &Node) -> Result<PeerWire, Error> {
        let mut stream = dial(node)?;
        stream.write_all(
            b"GET /v1/cluster/peer HTTP/1.1\r\nHost: n\r\n\
            Connection: upgrade\r\nUpgrade: quorate-peer/1\r\n\r\n",
        )?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
            if head.len() > HTTP_HEAD_BYTES_MAX {
                return Err(Error::new(ErrorKind::InvalidData, "no end of the head"));
            }
        }
        match head.starts_with(b"HTTP/1.1 101") {
            true => Ok(PeerWire {
                stream: Box::new(stream),
            }),
            false => Err(Error::other(String::from_utf8_lossy(&head).into_owned())),
        }
    }

    /// Connects with these TLS settings, but sends no message yet.
    pub fn connect_tls(node: &Node, config: Arc<ClientConfig>) -> Result<PeerWire, Error> {
        let name = ServerName::from(Ipv4Addr::LOCALHOST);
        let tls = ClientConnection::new(config, name).map_err(Error::other)?;
        Ok(PeerWire {
            stream: Box::new(StreamOwned::new(tls, dial(node)?)),
        })
    }

    /// Connects and sends a hello. Returns the connection and the node's identity.
    pub fn handshake(node: &Node, hello: &Hello) -> Result<(PeerWire, PeerIdentity), Error> {
        PeerWire::connect(node)?.greet(hello)
    }

    /// Sends a hello on a new connection. Returns the connection and the node's identity.
    pub fn greet(self, hello: &Hello) -> Result<(PeerWire, PeerIdentity), Error> {
        let mut wire = self;
        wire.frame(&message(0, hello))?;
        let reply = wire.receive()?;
        match postcard::from_bytes::<(u64, HelloReply)>(&reply) {
            Ok((_, HelloReply::Accepted(identity))) => Ok((wire, identity)),
            other => Err(Error::other(format!("{other:?}"))),
        }
    }

    /// Connects as a node that is not a member. Returns the connection and the node's identity.
    pub fn as_non_member(node: &Node) -> Result<(PeerWire, PeerIdentity), Error> {
        let hello = Hello {
            version: 1,
            from: PeerIdentity::of_nobody(),
            to: None,
        };
        PeerWire::handshake(node, &hello)
    }

    /// Sends bytes unchanged, without a frame.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.write_all(bytes)
    }

    /// Sends a frame.
    pub fn frame(&mut self, body: &[u8]) -> Result<(), Error> {
        self.claim(body.len() as u32)?;
        self.raw(body)
    }

    /// Sends only the length of a frame with this many bytes, without the body.
    pub fn claim(&mut self, length: u32) -> Result<(), Error> {
        self.raw(&length.to_be_bytes())
    }

    /// Receives a frame.
    pub fn receive(&mut self) -> Result<Vec<u8>, Error> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(frame)
    }
}

/// Returns the body of a frame that contains a numbered message.
pub fn message(number: u64, message: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(&(number, message)).expect("to memory")
}

/// Returns the body of a frame that contains a request of this kind, with these bytes as its
/// content.
pub fn request(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[1, kind], content].concat()
}

/// Returns the content of a join request.
pub fn join_request(node_id: &str, incarnation: u64, address: &str) -> Vec<u8> {
    postcard::to_allocvec(&(node_id, incarnation, address, "test")).expect("to memory")
}
