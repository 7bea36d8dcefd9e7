//! Nodes with HTTPS, and tokens of people.

use crate::support::etc::write;
use crate::support::node::Node;
use crate::support::ports;
use crate::support::tls::{fixture, key_store_pem};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

/// Makes a token, and returns it and its line for the file.
pub fn make_token(name: &str, role: &str) -> (String, String) {
    let made = Command::new(env!("CARGO_BIN_EXE_quorate"))
        .args(["token", name, "--role", role])
        .output();
    let made = made.expect("the command runs");
    assert!(made.status.success(), "{made:?}");
    let text = String::from_utf8(made.stdout).expect("text");
    let mut lines = text.lines().map(str::to_owned);
    let [Some(token), Some(line), None] = [lines.next(), lines.next(), lines.next()] else {
        panic!("expected two lines: {text}");
    };
    (token, line)
}

/// Configures a node to serve HTTPS too, and returns the address of that port.
pub fn enable_https(node: &mut Node) -> SocketAddr {
    let port = ports::free();
    write(&node.etc.etc_dir().join("https.pem"), &key_store_pem("ec"));
    node.set("http-server.https.enabled", "true");
    node.set("http-server.https.port", &port.to_string());
    node.set("http-server.https.keystore.path", "etc/https.pem");
    node.set("http-server.https.ssl-context.refresh-time", "2s");
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Configures a node to ask clients for certificates of the authority of the fixtures.
pub fn trust_client_certificates(node: &mut Node) {
    let root = fixture("root.pem");
    node.set(
        "http-server.https.truststore.path",
        &root.display().to_string(),
    );
}
