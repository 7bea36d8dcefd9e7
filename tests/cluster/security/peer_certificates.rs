//! Tests of `cluster.peer-authentication=certificate`: only a process with a certificate that names
//! the host of a node can act as this node, and each refusal is logged and changes nothing.

use super::fixtures::{enable_https, trust_client_certificates};
use super::peers::peer_tls;
use super::secrets::{PEER_AUTHENTICATION, RELOADED_WITHIN, SECRET};
use crate::support::cluster::FORM_LIMIT;
use crate::support::etc::write;
use crate::support::node::{Node, PATIENCE};
use crate::support::peer_wire::{Hello, JOIN, PeerIdentity, PeerWire, join_request, request};
use crate::support::tls::{client_config_with, fixture, key_store_pem};
use crate::support::{Cluster, Options, let_pass, rolling, until};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quorate::clock;
use quorate::security::{AutomaticCertificate, PEER_ALPN, Secret};
use rustls::ClientConfig;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const KIND: &str = "certified";
/// Time for which a group serves between two replacements of a file.
const BETWEEN: Duration = Duration::from_secs(1);

/// Writes the files of three nodes that prove by the certificate for 127.0.0.1 who they are.
fn prepare() -> Cluster {
    let mut cluster = Cluster::prepare(3, Options::max_age("10m"));
    for node in &mut cluster.nodes {
        enable_https(node);
        trust_client_certificates(node);
        node.set(PEER_AUTHENTICATION, "certificate");
    }
    cluster
}

fn key_store(node: &Node) -> PathBuf {
    node.etc.etc_dir().join("https.pem")
}

fn wait_logged(node: &Node, said: &str) {
    until(said, FORM_LIMIT, || node.log().contains(said).then_some(()));
}

/// Waits until the audit log of a node has a line with all these parts.
fn wait_audited(node: &Node, parts: &[&str]) {
    let path = node.etc.data_dir().join("var/log/audit.log");
    until(&format!("{parts:?} in the audit log"), PATIENCE, || {
        let text = std::fs::read_to_string(&path).ok()?;
        let mut lines = text.lines();
        let found = lines.any(|line| parts.iter().all(|part| line.contains(part)));
        found.then_some(())
    });
}

/// Waits until both other members have proved to a node by a certificate who they are.
fn wait_proved(node: &Node) {
    until("the members have proved it", FORM_LIMIT, || {
        let status = node.status()?;
        let members = status["members"].as_array()?;
        let proved = members
            .iter()
            .filter(|member| member["security"] == "certificate" && member["reachable"] == true);
        (proved.count() == 2).then_some(())
    });
}

/// A group forms without a secret, survives the end of its leader, and takes the node back. The
/// status and the audit log say what the members have proved.
#[test]
fn a_group_forms_with_certificates() {
    let mut cluster = prepare();
    cluster.start_all();
    cluster.wait_ready();
    cluster.wait_all_voters(0);
    cluster.nodes[0].announce_acked(KIND, "first", 1);
    let killed = cluster.leader();
    cluster.nodes[killed].kill9();
    let leader = cluster.leader_other_than(Some(killed));
    cluster.nodes[leader].announce_acked(KIND, "second", 2);
    cluster.nodes[killed].start();
    cluster.wait_ready();
    for node in &cluster.nodes {
        assert_eq!(node.lookup(KIND).expect("it serves").len(), 2);
        let status = node.status().expect("a status");
        assert_eq!(status["security"], "partial", "engines prove nothing");
        wait_proved(node);
        let log = node.log();
        assert!(!log.contains("can act as a member of its group"), "{log}");
        wait_audited(node, &["\"start\"", "\"peers\":\"certificate\""]);
    }
    let name = format!("\"peer:{}\"", cluster.nodes[killed].etc.node_id);
    wait_audited(&cluster.nodes[leader], &[&name, "\"accepted\""]);
}

/// A node whose certificate is of an unknown authority, or names another host, does not become a
/// member. It says why, and so do the nodes that refuse it. With the right certificate it is taken.
#[test]
fn a_node_with_another_certificate_stays_outside() {
    let mut cluster = prepare();
    let outsider = key_store(&cluster.nodes[2]);
    write(&outsider, &key_store_pem("stranger"));
    cluster.start_all();
    for (certificate, refused, said) in [
        (
            "stranger",
            "a peer whose certificate is not accepted: no authority of the trust store has issued \
             it (UnknownIssuer)",
            "it does not accept the certificate of this node (UnknownCA)",
        ),
        (
            "client",
            "a peer whose certificate is not accepted: certificate does not allow extended key \
             usage for server authentication",
            "it does not accept the certificate of this node (UnsupportedCertificate)",
        ),
        (
            "rsa",
            "its certificate does not name 127.0.0.1, where quorate-1 has this node in its \
             inventory; it names n2.example.org",
            "a peer that does not accept the certificate of this node (BadCertificate)",
        ),
    ] {
        if certificate != "stranger" {
            cluster.nodes[2].kill9();
            write(&outsider, &key_store_pem(certificate));
            cluster.nodes[2].start();
        }
        wait_logged(&cluster.nodes[0], refused);
        wait_logged(&cluster.nodes[2], said);
        assert!(!cluster.nodes[2].is_ready(), "{certificate}");
    }
    let claimed = ["\"certificate:n2.example.org\"", "\"refused\"", "127.0.0.1"];
    wait_audited(&cluster.nodes[0], &claimed);
    cluster.nodes[2].kill9();
    write(&outsider, &key_store_pem("ec"));
    cluster.nodes[2].start();
    cluster.wait_ready();
    cluster.wait_all_voters(0);
}

/// Returns a hello of a node that is not a member, under this name.
fn hello_of(node_id: &str) -> Hello {
    let from = PeerIdentity {
        node_id: node_id.to_owned(),
        ..PeerIdentity::of_nobody()
    };
    Hello {
        version: 1,
        from,
        to: None,
    }
}

fn shows(certificate: Option<&str>) -> Arc<ClientConfig> {
    client_config_with(&[PEER_ALPN], certificate)
}

/// Sends a hello over TLS with a certificate of the authority.
fn greet(node: &Node, certificate: &str, hello: &Hello) -> std::io::Result<PeerIdentity> {
    let wire = PeerWire::connect_tls(node, shows(Some(certificate)))?;
    wire.greet(hello).map(|(_, identity)| identity)
}

/// Peers in plain text, with a shared secret, without a certificate, under a name that the
/// certificate does not prove, and under one that the inventory does not have are refused, and
/// nothing of them is committed. A node cannot ask to join in the name of another one.
#[test]
fn other_peers_are_refused() {
    let mut cluster = prepare();
    cluster.start_all();
    cluster.wait_ready();
    let node = &cluster.nodes[0];
    until("the nodes have announced themselves", FORM_LIMIT, || {
        (node.lookup("discovery")?.len() == 3).then_some(())
    });
    let announced = || node.get("/v1/service").expect("it serves").body;
    let before = announced();
    let identity = |of: &Node| greet(of, "ec", &hello_of("quorate-2")).expect("it is a node");
    let status = node.status().expect("a status");
    let cluster_id = status["cluster"].as_str().expect("a group");
    let member = Hello {
        version: 1,
        from: identity(&cluster.nodes[1]),
        to: Some((
            u64::from_str_radix(cluster_id, 16).expect("hex"),
            identity(node).raft_id(),
        )),
    };
    greet(node, "ec", &member).expect("the certificate names the host");

    let plain = PeerWire::connect(node).err().expect("it is plain");
    let plain = plain.to_string();
    assert!(plain.starts_with("HTTP/1.1 426"), "{plain}");
    for (attack, config) in [
        ("a secret", peer_tls(SECRET, "test")),
        ("no certificate", shows(None)),
        ("a worker's certificate", shows(Some("client"))),
    ] {
        let refused = PeerWire::connect_tls(node, config).and_then(|wire| wire.greet(&member));
        assert!(refused.is_err(), "{attack}");
    }
    for (certificate, hello, reason) in [
        ("rsa", &member, "does not name 127.0.0.1"),
        ("rsa", &hello_of("quorate-2"), "does not name 127.0.0.1"),
        ("ec", &hello_of("nobody"), "does not have in its inventory"),
    ] {
        let refused = greet(node, certificate, hello).expect_err("it is another host");
        let text = refused.to_string();
        assert!(text.contains(reason), "{certificate}: {text}");
    }
    let wire = PeerWire::connect_tls(node, shows(Some("ec"))).expect("it is reached");
    let (mut wire, _) = wire.greet(&hello_of("quorate-2")).expect("it is a node");
    let for_another = join_request("quorate-3", 7, "http://127.0.0.1:1");
    wire.frame(&request(JOIN, &for_another)).expect("sent");
    let answer = wire.receive().expect("an answer");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("only in its own name"), "{answer}");

    for reason in [
        "refused 127.0.0.1: This node takes only peers that show a certificate",
        "refused 127.0.0.1: a peer that shows the key of a shared secret",
        "refused 127.0.0.1: a peer that shows no certificate",
    ] {
        wait_logged(node, reason);
    }
    let mut audited = vec!["\"peer\"", "\"certificate:n2.example.org\"", "\"refused\""];
    wait_audited(node, &audited);
    audited[1] = "\"certificate:127.0.0.1\"";
    wait_audited(node, &audited);
    assert_eq!(announced(), before, "an attack was committed");
}

/// A key and a certificate for 127.0.0.1 that is its own authority.
struct SelfSigned {
    key: String,
    certificate: String,
}

impl SelfSigned {
    fn new() -> SelfSigned {
        let secret = Secret::parse(SECRET).expect("a secret");
        let made = AutomaticCertificate {
            secret: &secret,
            environment: "test",
            addresses: &[IpAddr::from(Ipv4Addr::LOCALHOST)],
            now_ms: clock::wall_ms(),
        };
        let store = made.key_store().expect("a certificate");
        let entry = &store.entries()[0];
        SelfSigned {
            key: pem("PRIVATE KEY", entry.key().secret_der()),
            certificate: pem("CERTIFICATE", &entry.chain()[0]),
        }
    }
}

/// Returns bytes in the text format of PEM.
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// The certificates and then the authorities are replaced under running nodes and under writes, one
/// node after the other. Nothing is lost and no gap exceeds 2.5 s. Afterwards, the connections are
/// those of the new authority, and the old one is refused. A file that cannot be used changes
/// nothing.
#[test]
fn certificates_are_replaced_without_a_gap() {
    let mut cluster = prepare();
    let new = SelfSigned::new();
    let root = std::fs::read_to_string(fixture("root.pem")).expect("a fixture");
    for node in &mut cluster.nodes {
        let trust_store = node.etc.etc_dir().join("trusted.pem");
        write(&trust_store, &root);
        let path = trust_store.display().to_string();
        node.set("http-server.https.truststore.path", &path);
    }
    cluster.start_all();
    cluster.wait_ready();
    greet(&cluster.nodes[0], "ec", &hello_of("quorate-2")).expect("the authority is trusted");
    let traffic = rolling::traffic_beside(&cluster, KIND, 3);
    rolling::wait_for_writes(&traffic);
    let began = clock::now();
    let both = [&*root, &*new.certificate].concat();
    let renewed = [&*new.key, &*new.certificate].concat();
    for (file, content) in [
        ("trusted.pem", &both),
        ("https.pem", &renewed),
        ("trusted.pem", &new.certificate),
    ] {
        for node in &cluster.nodes {
            let changed = "the stores of HTTPS have changed";
            let before = node.log().matches(changed).count();
            write(&node.etc.etc_dir().join(file), content);
            until(changed, RELOADED_WITHIN, || {
                (node.log().matches(changed).count() > before).then_some(())
            });
            let_pass(BETWEEN);
            rolling::wait_for_writes(&traffic);
        }
    }
    let done = rolling::stop(traffic, began, "the replacement");
    done.assert_nothing_lost_anywhere(&cluster.tokens_everywhere(KIND));
    for node in &cluster.nodes {
        wait_proved(node);
    }

    // The test still shows the old certificate, and trusts only the old authority.
    let node = &cluster.nodes[0];
    let refused = greet(node, "ec", &hello_of("quorate-2")).expect_err("it is another authority");
    assert!(refused.to_string().contains("UnknownIssuer"), "{refused}");

    write(&key_store(node), "-----BEGIN CERTIFICATE-----\nbroken\n");
    until("a bad file is reported", RELOADED_WITHIN, || {
        let log = node.log();
        log.contains("the last stores stay valid").then_some(())
    });
    let restarted = cluster.others(0)[0];
    cluster.nodes[restarted].kill9();
    cluster.nodes[restarted].start();
    cluster.nodes[restarted].wait_ready(FORM_LIMIT);
    wait_proved(&cluster.nodes[0]);
}
