//! Tests of handshakes with the listener's settings, in memory.

mod clients;
mod handshakes;
mod refusals;
mod resumption;

use super::*;
use crate::certificate::{SubjectAltName, subject_alt_names};
use crate::key_store::StorePasswords;
use rustls::client::{ClientSessionMemoryCache, Resumption};
use rustls::crypto::ring::ALL_CIPHER_SUITES;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::{
    CertificateError, CipherSuite, ClientConfig, ClientConnection, Error, HandshakeKind,
    RootCertStore, ServerConnection, SupportedProtocolVersion,
};

const PASSWORDS: StorePasswords<'_> = StorePasswords {
    store: Some("store-password"),
    key: None,
};

fn file(name: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/key_store/stores/");
    std::fs::read(format!("{path}{name}")).expect("a store")
}

/// Reads a store that consists of files one after the other.
fn store(names: &[&str]) -> KeyStore {
    let bytes: Vec<u8> = names.iter().flat_map(|name| file(name)).collect();
    KeyStore::read(&bytes, &PASSWORDS).expect("a store")
}

fn ec() -> KeyStore {
    store(&["ec.pkcs8.pem", "ec.pem", "intermediate.pem"])
}

fn rsa() -> KeyStore {
    store(&["rsa.pkcs1.pem", "rsa.pem", "intermediate.pem"])
}

fn settings(key_store: &KeyStore) -> HttpsSettings<'_> {
    HttpsSettings {
        key_store,
        trust_store: None,
        included_ciphers: "",
        excluded_ciphers: EXCLUDED_CIPHERS_DEFAULT,
        session_timeout_s: 14_400,
    }
}

fn server(key_store: &KeyStore) -> Arc<ServerConfig> {
    settings(key_store).server_config().expect("settings")
}

/// Returns the reason why settings are refused, after the key of the configuration.
fn refusal(settings: HttpsSettings<'_>) -> String {
    let error = settings.server_config().expect_err("it is refused");
    format!("{}: {error}", error.setting())
}

/// The settings of a client that trusts `root.pem` and all certificates of the store of several
/// keys.
fn client(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    client_with(versions, None)
}

/// The settings of a client that shows the certificate of this name.
fn client_with(
    versions: &[&'static SupportedProtocolVersion],
    shown: Option<&str>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let several = store(&["keytool-several.p12"]);
    for anchor in several.anchors() {
        roots.add(anchor.clone()).expect("an anchor");
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(versions).expect("versions");
    let builder = builder.with_root_certificates(roots);
    let mut config = match shown {
        Some(name) => {
            let chain = [format!("{name}.pem"), "intermediate.pem".to_owned()];
            let chain = chain.map(|name| CertificateDer::from_pem_slice(&file(&name)));
            let chain = chain.map(|certificate| certificate.expect("a certificate"));
            let key = PrivateKeyDer::from_pem_slice(&file(&format!("{name}.pkcs8.pem")));
            let key = key.expect("a key");
            builder
                .with_client_auth_cert(chain.to_vec(), key)
                .expect("a key")
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// A finished handshake.
struct Session {
    client: ClientConnection,
    server: ServerConnection,
}

/// Runs a handshake until both ends are silent. Returns the error of the end that refuses.
fn handshake(
    from: &Arc<ClientConfig>,
    to: &Arc<ServerConfig>,
    host: &str,
) -> Result<Session, Error> {
    let name = ServerName::try_from(host.to_owned()).expect("a name");
    let mut client = ClientConnection::new(from.clone(), name)?;
    let mut server = ServerConnection::new(to.clone())?;
    while client.wants_write() || server.wants_write() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("memory takes it");
        }
        let mut bytes = &bytes[..];
        while !bytes.is_empty() {
            server.read_tls(&mut bytes).expect("memory has it");
            server.process_new_packets()?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("memory takes it");
        }
        let mut bytes = &bytes[..];
        while !bytes.is_empty() {
            client.read_tls(&mut bytes).expect("memory has it");
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok(Session { client, server })
}

impl Session {
    fn suite(&self) -> CipherSuite {
        let suite = self.server.negotiated_cipher_suite();
        suite.expect("a suite").suite()
    }

    /// Returns the first name of the certificate that the server showed.
    fn shown(&self) -> SubjectAltName {
        let shown = self.client.peer_certificates().expect("a certificate");
        let names = subject_alt_names(&shown[0]).expect("a certificate");
        names[0].clone()
    }
}

fn dns(name: &str) -> SubjectAltName {
    SubjectAltName::Dns(name.to_owned())
}
