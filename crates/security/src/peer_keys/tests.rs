//! Tests of handshakes between peers, in memory.

use super::*;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConnection, ServerConnection};

const OLD: &str = "an-old-secret-of-32-bytes-or-more";
const NEW: &str = "a-new-secret-of-32-bytes-or-more!";

fn keys(secrets: &str, environment: &str) -> PeerKeys {
    let secrets = SecretList::parse(secrets).expect("a list");
    PeerKeys::derive(&secrets, environment).expect("keys")
}

/// Runs a handshake. Returns the key that the dialing end showed, or the error of the end that
/// refused.
fn handshake(from: Arc<ClientConfig>, to: Arc<ServerConfig>) -> Result<PublicKey, rustls::Error> {
    let name = ServerName::try_from("peer").expect("a name");
    let mut client = ClientConnection::new(from, name)?;
    let mut server = ServerConnection::new(to)?;
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).expect("memory takes it");
        server.read_tls(&mut &bytes[..]).expect("memory has it");
        server.process_new_packets()?;
        let mut bytes = Vec::new();
        server.write_tls(&mut bytes).expect("memory takes it");
        client.read_tls(&mut &bytes[..]).expect("memory has it");
        client.process_new_packets()?;
    }
    assert_eq!(server.alpn_protocol(), Some(PEER_ALPN));
    Ok(PublicKey::shown(server.peer_certificates()).expect("the client showed a key"))
}

fn between(dialing: &PeerKeys, accepting: &PeerKeys) -> Result<PublicKey, rustls::Error> {
    handshake(dialing.client_config(), accepting.server_config())
}

fn refused() -> Result<PublicKey, rustls::Error> {
    Err(CertificateError::ApplicationVerificationFailure.into())
}

/// Nodes with the same secret and environment accept each other. A difference in either is refused.
#[test]
fn the_secret_and_the_environment_decide() {
    let node = keys(OLD, "test");
    let shown = between(&node, &keys(OLD, "test")).expect("the secret is the same");
    assert!(node.accepts(&shown));
    assert_eq!(between(&node, &keys(NEW, "test")), refused());
    assert_eq!(between(&node, &keys(OLD, "prod")), refused());
}

/// The key of a secret never changes, since nodes of different versions must accept each other.
/// The expected key was computed in Python, with `hashlib` and `cryptography`.
#[test]
fn the_derivation_is_fixed() {
    let secret = Secret::parse(OLD).expect("a secret");
    let (_, public) = key_pair(&secret, "test").expect("a key");
    let hex: String = public.0.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, DERIVED);
}

const DERIVED: &str =
    "302a300506032b6570032100de67c621a161193d91afcd27273399ec9fdd5a7774c62dc7c1600c3a1a284974";

/// A rotation of the secret has four steps, one for each list of [`SecretList`]. Nodes at the same
/// step or at adjacent steps accept each other in both directions. A node that skips a step is
/// refused.
#[test]
fn a_rotation_has_four_steps() {
    let (both, turned) = (format!("{OLD}\n{NEW}"), format!("{NEW}\n{OLD}"));
    let steps = [OLD, &both, &turned, NEW].map(|secrets| keys(secrets, "test"));
    for (one, from) in steps.iter().enumerate() {
        for (other, to) in steps.iter().enumerate() {
            let is_adjacent = one.abs_diff(other) <= 1;
            assert_eq!(between(from, to).is_ok(), is_adjacent, "{one} to {other}");
        }
    }
    let old = between(&steps[0], &steps[0]).expect("the same secret");
    assert!(steps[2].accepts(&old) && !steps[3].accepts(&old));
}

/// A client that shows no key is refused.
#[test]
fn a_key_must_be_shown() {
    let node = keys(OLD, "test");
    let provider = Arc::new(default_provider());
    let verifier = Arc::new(RawKeyVerifier::new(&node.accepted, &provider));
    let mut silent = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("a version")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    silent.alpn_protocols = vec![PEER_ALPN.to_vec()];
    assert!(handshake(Arc::new(silent), node.server_config()).is_err());
}

/// A client that shows an accepted public key without having its private key is refused.
#[test]
fn the_private_key_must_be_proved() {
    let (node, stranger) = (keys(OLD, "test"), keys(NEW, "test"));
    let provider = Arc::new(default_provider());
    let secret = Secret::parse(NEW).expect("a secret");
    let (signing, _) = key_pair(&secret, "test").expect("a key");
    let stolen = CertificateDer::from(node.accepted[0].0.to_vec());
    let shown = Arc::new(CertifiedKey::new(vec![stolen], signing));
    let accepts_node = Arc::new(RawKeyVerifier::new(&node.accepted, &provider));
    let dialing = client_config(&provider, &accepts_node, &shown).expect("settings");
    assert!(handshake(dialing, node.server_config()).is_err());
    let accepts_stranger = Arc::new(RawKeyVerifier::new(&stranger.accepted, &provider));
    let accepting = server_config(&provider, &accepts_stranger, &shown).expect("settings");
    assert!(handshake(node.client_config(), accepting).is_err());
}

/// No output of the keys contains a secret.
#[test]
fn keys_are_hidden() {
    let node = keys(OLD, "test");
    assert_eq!(format!("{node:?}"), "PeerKeys(1 accepted)");
}
