//! Tests of the certificates by which engines without tokens prove who they are.

use super::fixtures::{enable_https, make_token, trust_client_certificates};
use super::secrets::SECRET;
use crate::support::cluster::FORM_LIMIT;
use crate::support::engine_tokens::TokenOf;
use crate::support::engines_secret::token_line;
use crate::support::etc::write;
use crate::support::node::{PATIENCE, announcement_path, services};
use crate::support::tls::{TlsTunnel, client_config_with};
use crate::support::{Cluster, Options, http, until};
use serde_json::json;
use std::net::SocketAddr;

/// Returns the body of an announcement with these addresses as the values of properties.
fn body(addresses: &[&str]) -> String {
    let properties: serde_json::Map<_, _> = addresses
        .iter()
        .enumerate()
        .map(|(i, address)| (format!("address{i}"), json!(address)))
        .collect();
    json!({"environment": "test", "pool": "general", "location": "/l",
        "services": [{"id": "s", "type": "presto", "properties": properties}]})
    .to_string()
}

/// A client of one node.
struct CertifiedClient {
    node: SocketAddr,
    headers: String,
    tunnel: TlsTunnel,
}

impl CertifiedClient {
    /// Creates a client with a certificate and these header lines.
    fn new(
        https: SocketAddr,
        node: SocketAddr,
        certificate: Option<&str>,
        headers: &str,
    ) -> CertifiedClient {
        let config = client_config_with(&[b"http/1.1"], certificate);
        CertifiedClient {
            node,
            headers: headers.to_owned(),
            tunnel: TlsTunnel::with(https, config),
        }
    }

    /// Sends a request over HTTPS. Returns the status and the body of the response.
    fn send(&self, method: &str, node_id: &str, body: Option<&str>) -> (u16, String) {
        let path = announcement_path(node_id);
        let headers = &self.headers;
        let sent = http::send_with(self.tunnel.address, method, &path, headers, body, PATIENCE);
        let answer = sent.and_then(http::Pending::answer).expect("an answer");
        (answer.status, answer.body)
    }

    fn announce(&self, node_id: &str, addresses: &[&str]) -> (u16, String) {
        self.send("PUT", node_id, Some(&body(addresses)))
    }

    /// Returns the addresses at which a node is registered.
    fn registered(&self, node_id: &str) -> Option<Vec<String>> {
        let answer = http::request(self.node, "GET", "/v1/service/presto", None, PATIENCE);
        let answer = answer.expect("an answer");
        let services = services(&answer).expect("a lookup");
        let mut found = services.iter().filter(|it| it["nodeId"] == node_id);
        let properties = found.next()?["properties"].as_object()?.clone();
        let addresses = properties.values().map(|it| it.as_str().map(str::to_owned));
        addresses.collect()
    }
}

/// Starts two nodes that require a proof of engines, or only verify it, and accept certificates.
fn start(mode: &str) -> (Cluster, Vec<SocketAddr>, String) {
    let mut cluster = Cluster::prepare(3, Options::max_age("10m"));
    let (token, line) = make_token("ops", "write");
    let mut https = Vec::new();
    for node in &mut cluster.nodes {
        let file = node.etc.etc_dir().join("tokens");
        write(&file, &line);
        node.set("internal-communication.shared-secret", SECRET);
        node.set("cluster.tokens-file", &file.display().to_string());
        node.set("discovery.announcement.authentication", mode);
        https.push(enable_https(node));
        trust_client_certificates(node);
    }
    cluster.start_all();
    for node in &cluster.nodes {
        node.wait_ready(FORM_LIMIT);
    }
    (cluster, https, format!("Authorization: Bearer {token}\r\n"))
}

/// A client with a certificate announces, renews and withdraws exactly the engines whose addresses
/// all have hosts that the certificate names. It neither replaces nor withdraws another engine, at
/// whatever node it asks. A refusal names the host, and changes nothing.
#[test]
fn a_certificate_announces_only_its_own_hosts() {
    let (cluster, https, ops) = start("require");
    let address = cluster.nodes[0].address();
    let worker = CertifiedClient::new(https[0], address, Some("client"), "");
    let own = ["https://W1.example.org:8443", "thrift://10.0.0.7:1"];
    for _ in 0..2 {
        assert_eq!(worker.announce("w1", &own), (202, String::new()));
    }
    assert!(worker.registered("w1").is_some());

    // Each is refused while the node is registered, and while it is not.
    for node_id in ["w1", "w9"] {
        for (announced, reason) in [
            (
                &["http://w1.example.org:1", "http://w2.example.org:1"][..],
                "at w2.example.org",
            ),
            (&["http://10.0.0.8:1"], "announced at 10.0.0.8"),
            (&["http://[2001:db8::7]:1"], "announced at [2001:db8::7]"),
            (
                &["http://x.w1.example.org:1"],
                "announced at x.w1.example.org",
            ),
            (
                &["http://w1.example.org@10.0.0.8:1"],
                "address0: it contains a user name",
            ),
            (
                &["http://w1.example.org:1,http://w2:1"],
                "address0: its port is not",
            ),
            (
                &["http://w1.example.org\\.w2"],
                "address0: it contains a character",
            ),
            (&["w1.example.org:1"], "announced without an address"),
            (&[], "announced without an address"),
        ] {
            let (status, line) = worker.announce(node_id, announced);
            assert!(
                status == 403 && line.contains(reason),
                "{announced:?}: {status} {line}"
            );
        }
    }
    assert_eq!(worker.registered("w1").map(|all| all.len()), Some(2));
    assert_eq!(worker.registered("w9"), None);

    // The coordinator has a token. The worker can neither replace it nor withdraw it, at no node.
    let token = token_line(TokenOf::Presto, SECRET, "c1");
    let coordinator = CertifiedClient::new(https[0], address, None, &token);
    assert_eq!(coordinator.announce("c1", &["http://c1:1"]).0, 202);
    for node in &https {
        let worker = CertifiedClient::new(*node, address, Some("client"), "");
        for (method, announced) in [("PUT", Some(body(&own))), ("DELETE", None)] {
            let (status, line) = worker.send(method, "c1", announced.as_deref());
            assert!(
                status == 403 && line.contains("registered at c1"),
                "{method}: {line}"
            );
        }
    }
    assert_eq!(
        worker.registered("c1"),
        Some(vec!["http://c1:1".to_owned()])
    );

    // A false coordinator would get the credentials of SQL clients.
    for service in [
        json!({"id": "s", "type": "trino-coordinator",
            "properties": {"http": "http://w1.example.org:1"}}),
        json!({"id": "s", "type": "presto",
            "properties": {"http": "http://w1.example.org:1", "coordinator": true}}),
    ] {
        let body = json!({"environment": "test", "pool": "general", "location": "/l",
            "services": [service]});
        let (status, line) = worker.send("PUT", "w1", Some(&body.to_string()));
        assert!(
            status == 403 && line.contains("as a coordinator and needs a token"),
            "{line}"
        );
    }

    // A wildcard is no proof, and a token that is sent counts instead of the certificate.
    let shared = CertifiedClient::new(https[0], address, Some("rsa"), "");
    let (status, line) = shared.announce("w2", &["http://a.n2.example.org:1"]);
    assert!(status == 403 && line.contains("a.n2.example.org"), "{line}");
    assert_eq!(shared.announce("w2", &["http://n2.example.org:1"]).0, 202);
    let token = token_line(TokenOf::Trino, SECRET, "w2");
    let both = CertifiedClient::new(https[0], address, Some("client"), &token);
    assert_eq!(both.announce("w1", &own).0, 403);
    let person = CertifiedClient::new(https[0], address, Some("rsa"), &ops);
    assert_eq!(person.announce("w3", &["http://w3:1"]).0, 202);

    // A certificate says nothing about an engine that is not registered.
    assert_eq!(worker.send("DELETE", "w1", None), (204, String::new()));
    assert_eq!(worker.registered("w1"), None);
    for node_id in ["w1", "w9"] {
        let (status, line) = worker.send("DELETE", node_id, None);
        assert!(
            status == 403 && line.contains("is not registered"),
            "{line}"
        );
    }

    let log = cluster.nodes[0].log();
    assert!(log.contains("announced at 10.0.0.8"), "{log}");
    let audit = cluster.nodes[0].etc.data_dir().join("var/log/audit.log");
    until("the changes are in the audit log", PATIENCE, || {
        let text = std::fs::read_to_string(&audit).ok()?;
        let logged = |principal: &str, id: &str| {
            text.lines().any(|line| {
                line.contains(&format!("\"principal\":\"{principal}\""))
                    && line.contains(&format!("\"id\":\"{id}\""))
            })
        };
        (logged("certificate:10.0.0.7", "w1") && logged("certificate:n2.example.org", "w2"))
            .then_some(())
    });
}

/// A certificate of an unknown authority ends the handshake.
#[test]
fn a_strangers_certificate_is_refused() {
    let (cluster, https, _) = start("require");
    let address = cluster.nodes[0].address();
    let stranger = CertifiedClient::new(https[0], address, Some("stranger"), "");
    let path = announcement_path("w1");
    let announced = body(&["http://w1.example.org:1"]);
    let to = stranger.tunnel.address;
    let sent = http::send_with(to, "PUT", &path, "", Some(&announced), PATIENCE);
    assert!(sent.and_then(http::Pending::answer).is_err());
    let said = "a TLS handshake that failed: invalid peer certificate";
    until(said, PATIENCE, || {
        cluster.nodes[0].log().contains(said).then_some(())
    });
    assert_eq!(stranger.registered("w1"), None);
}

/// While proofs are only verified, an engine is accepted whatever its certificate names, and logged
/// if `require` would refuse it.
#[test]
fn verify_only_logs_what_a_certificate_lacks() {
    let (cluster, https, _) = start("verify");
    let address = cluster.nodes[0].address();
    let worker = CertifiedClient::new(https[0], address, Some("client"), "");
    assert_eq!(worker.announce("w1", &["http://10.0.0.7:1"]).0, 202);
    assert_eq!(worker.announce("w8", &["http://10.0.0.8:1"]).0, 202);
    let said = "which is announced at 10.0.0.8, which \
                discovery.announcement.authentication=require would refuse";
    until(said, PATIENCE, || {
        cluster.nodes[0].log().contains(said).then_some(())
    });
    assert!(!cluster.nodes[0].log().contains("is node w1"));
}
