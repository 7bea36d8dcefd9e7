//! Tests of `cluster.peer-authentication=require`: only a node with the shared secret can act as a
//! member, and each refusal is logged and changes nothing.

use super::secrets::{OTHER_SECRET, SECRET, SHARED_SECRET, assert_no_secret_logged, with_secret};
use crate::support::cluster::FORM_LIMIT;
use crate::support::node::{Node, PATIENCE};
use crate::support::peer_wire::{Hello, PeerIdentity, PeerWire};
use crate::support::{Cluster, Options, until};
use quorate::security::{PEER_ALPN, PeerKeys, Secret, SecretList};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

/// Returns the TLS settings of a peer with a secret.
pub fn peer_tls(secret: &str, environment: &str) -> Arc<ClientConfig> {
    let secret = Secret::parse(secret).expect("a secret");
    let keys = PeerKeys::derive(&SecretList::one(secret), environment);
    keys.expect("keys").client_config()
}

/// Returns the TLS settings of an ordinary client that asks for these protocols.
fn client_tls(alpn: &[&[u8]]) -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

/// Returns the hello that `from` would send to `to`, as a node with the secret learns it.
fn member_hello(from: &Node, to: &Node) -> Hello {
    let identity = |node: &Node| {
        let wire = PeerWire::connect_tls(node, peer_tls(SECRET, "test")).expect("it is reached");
        let greeted = wire.greet(&non_member_hello());
        greeted.expect("a node with the secret is accepted").1
    };
    let status = to.status().expect("a status");
    let cluster = status["cluster"].as_str().expect("a group");
    Hello {
        version: 1,
        from: identity(from),
        to: Some((
            u64::from_str_radix(cluster, 16).expect("hex"),
            identity(to).raft_id(),
        )),
    }
}

fn non_member_hello() -> Hello {
    Hello {
        version: 1,
        from: PeerIdentity::of_nobody(),
        to: None,
    }
}

/// Without a secret, whoever knows the ids of a group can speak as its member. With one, the same
/// hello is refused: in plain text with 426, over TLS without the key, and over TLS with the key of
/// another secret or environment. Nodes with the secret accept it.
#[test]
fn the_forged_member_is_refused() {
    let open = Cluster::start(3, Options::max_age("10m"));
    let hello = Hello::in_the_name_of(&open.nodes[1], &open.nodes[0]).expect("it is told");
    PeerWire::handshake(&open.nodes[0], &hello).expect("anyone is believed without a secret");
    drop(open);

    let cluster = Cluster::start(3, with_secret());
    let node = &cluster.nodes[0];
    let hello = member_hello(&cluster.nodes[1], node);
    let accepted = PeerWire::connect_tls(node, peer_tls(SECRET, "test")).expect("it is reached");
    accepted.greet(&hello).expect("the secret is the same");

    let announced = |node: &Node| node.get("/v1/service").expect("it serves").body;
    let before = announced(node);
    let plain = PeerWire::connect(node)
        .err()
        .expect("plain text is refused");
    let plain = plain.to_string();
    assert!(plain.starts_with("HTTP/1.1 426"), "{plain}");
    assert!(plain.to_lowercase().contains("upgrade: tls/1.3"), "{plain}");
    for (attack, config) in [
        ("another secret", peer_tls(OTHER_SECRET, "test")),
        ("another environment", peer_tls(SECRET, "prod")),
        ("no key", client_tls(&[PEER_ALPN])),
        ("no protocol of peers", client_tls(&[b"h2", b"http/1.1"])),
        ("no protocol at all", client_tls(&[])),
    ] {
        let refused = PeerWire::connect_tls(node, config).and_then(|wire| wire.greet(&hello));
        assert!(refused.is_err(), "{attack}");
    }
    for reason in [
        "refused 127.0.0.1: This node takes only peers that prove the shared secret",
        "refused 127.0.0.1: TLS is only for peers",
    ] {
        until(reason, FORM_LIMIT, || {
            node.log().contains(reason).then_some(())
        });
    }
    assert_eq!(announced(node), before, "an attack was committed");
    assert_eq!(
        node.status().expect("a status")["security"],
        "partial",
        "peers prove who they are, and engines do not"
    );
    assert_no_secret_logged(&cluster.nodes);
}

/// A connection of the peer protocol carries no HTTP, not even for a process with the secret.
/// Otherwise, such a connection would be a way past the rules of the routes.
#[test]
fn http_inside_a_connection_of_peers_is_not_served() {
    let cluster = Cluster::start(1, with_secret());
    let address = cluster.nodes[0].address();
    let name = ServerName::from(Ipv4Addr::LOCALHOST);
    let client = ClientConnection::new(peer_tls(SECRET, "test"), name).expect("a client");
    let stream = TcpStream::connect(address).expect("the node accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let mut tls = StreamOwned::new(client, stream);
    tls.write_all(b"DELETE /v1/announcement/static/7 HTTP/1.1\r\nHost: h\r\n\r\n")
        .expect("the handshake succeeds");
    let mut answer = Vec::new();
    // The node may close the connection without an end of TLS.
    let _ = tls.read_to_end(&mut answer);
    assert_eq!(String::from_utf8_lossy(&answer), "");
}

/// A node with another secret, and one without a secret, do not become members. Both say why. The
/// nodes that refuse them say so too.
#[test]
fn a_node_with_another_secret_stays_outside() {
    let mut cluster = Cluster::prepare(3, with_secret());
    cluster.nodes[2].set(SHARED_SECRET, OTHER_SECRET);
    cluster.start_all();
    for node in &cluster.nodes[..2] {
        until("the outsider is refused", FORM_LIMIT, || {
            node.log().contains("another shared secret").then_some(())
        });
    }
    waits_for(
        &cluster.nodes[2],
        "its shared secret is another than that of this node",
    );

    cluster.nodes[2].stop();
    cluster.nodes[2]
        .etc
        .settings
        .retain(|(key, _)| key != SHARED_SECRET);
    cluster.nodes[2].etc.write();
    cluster.nodes[2].start();
    waits_for(
        &cluster.nodes[2],
        "demands that peers prove who they are (cluster.peer-authentication=require or \
         certificate), and this node has proved nothing",
    );
    let warned = "everyone who reaches this node's port can act as a member of its group";
    assert!(cluster.nodes[2].log().contains(warned));
    assert_no_secret_logged(&cluster.nodes);

    cluster.nodes[2].stop();
    cluster.nodes[2].set(SHARED_SECRET, SECRET);
    cluster.nodes[2].start();
    cluster.wait_ready();
    cluster.wait_all_voters(0);
}

fn waits_for(node: &Node, reason: &str) {
    until(reason, FORM_LIMIT, || {
        let status = node.status()?;
        let waits_for = status["waits_for"].as_str()?.to_owned();
        waits_for.contains(reason).then_some(())
    });
}
