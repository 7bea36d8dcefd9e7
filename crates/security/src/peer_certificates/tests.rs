//! Tests of handshakes between peers with certificates, in memory.

use super::*;
use crate::key_store::StorePasswords;
use crate::peer_keys::PeerKeys;
use crate::secret_list::SecretList;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{
    CertificateError, ClientConnection, Error, NamedGroup, PeerIncompatible, ProtocolVersion,
    ServerConnection,
};

fn file(name: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/key_store/stores/");
    std::fs::read(format!("{path}{name}")).expect("a store")
}

fn store(bytes: &[u8]) -> KeyStore {
    let passwords = StorePasswords {
        store: None,
        key: None,
    };
    KeyStore::read(bytes, &passwords).expect("a store")
}

/// Returns bytes in the text format of PEM.
fn pem(label: &str, der: &[u8]) -> String {
    let lines = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
}

/// Returns the settings of a node with a certificate of the fixtures, and their authority.
fn fixture(name: &str) -> PeerCertificates {
    let names = [
        format!("{name}.pkcs8.pem"),
        format!("{name}.pem"),
        "intermediate.pem".to_owned(),
    ];
    let key_store = store(&names.map(|name| file(&name)).concat());
    PeerCertificates::new(&key_store, &store(&file("root.pem"))).expect("settings")
}

/// An authority that was made for one test.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Authority {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        let pem = pem("CERTIFICATE", certificate.der());
        let issuer = Issuer::new(parameters, key);
        Authority { issuer, pem }
    }

    /// Returns the settings of a node that trusts this authority alone, and has its certificate for
    /// a host. `change` changes the certificate.
    fn node(&self, host: &str, change: impl FnOnce(&mut CertificateParams)) -> PeerCertificates {
        PeerCertificates::new(&self.key_store(host, change), &store(self.pem.as_bytes()))
            .expect("settings")
    }

    fn key_store(&self, host: &str, change: impl FnOnce(&mut CertificateParams)) -> KeyStore {
        let mut parameters = CertificateParams::new(vec![host.to_owned()]).expect("a host");
        change(&mut parameters);
        let key = KeyPair::generate().expect("a key");
        let issued = parameters.signed_by(&key, &self.issuer);
        let issued = issued.expect("a certificate");
        let key = pem("PRIVATE KEY", &key.serialize_der());
        store([key, pem("CERTIFICATE", issued.der())].concat().as_bytes())
    }
}

/// The two ends of a connection after their handshake.
struct Handshaken {
    client: ClientConnection,
    server: ServerConnection,
}

/// Runs a handshake, in which `from` dials `host`. Returns the error of the end that refused.
fn handshake(
    from: Arc<ClientConfig>,
    to: Arc<ServerConfig>,
    host: &str,
) -> Result<Handshaken, Error> {
    let host = ServerName::try_from(host.to_owned()).expect("a host");
    let mut client = ClientConnection::new(from, host)?;
    let mut server = ServerConnection::new(to)?;
    while client.wants_write() || server.wants_write() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("memory takes it");
        }
        let mut unread = &bytes[..];
        while !unread.is_empty() {
            server.read_tls(&mut unread).expect("memory has it");
            server.process_new_packets()?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("memory takes it");
        }
        let mut unread = &bytes[..];
        while !unread.is_empty() {
            client.read_tls(&mut unread).expect("memory has it");
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok(Handshaken { client, server })
}

fn between(
    dialing: &PeerCertificates,
    accepting: &PeerCertificates,
    host: &str,
) -> Result<Handshaken, Error> {
    handshake(dialing.client_config(), accepting.server_config(), host)
}

fn invalid(result: Result<Handshaken, Error>) -> CertificateError {
    match result.err() {
        Some(Error::InvalidCertificate(error)) => error,
        other => panic!("no certificate is refused: {other:?}"),
    }
}

/// Nodes whose certificates are of the trusted authority accept each other, by TLS 1.3 with X25519,
/// and each learns the hosts of the other. Nothing is sent by which a session could be resumed.
#[test]
fn the_authority_decides() {
    let (dialing, accepting) = (fixture("rsa"), fixture("ec"));
    let session = between(&dialing, &accepting, "127.0.0.1").expect("both are trusted");
    let Handshaken { client, server } = session;
    assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(server.alpn_protocol(), Some(PEER_ALPN));
    let group = server.negotiated_key_exchange_group().expect("a group");
    assert_eq!(group.name(), NamedGroup::X25519);
    assert_eq!(client.tls13_tickets_received(), 0);
    let proof = accepting
        .proof(server.peer_certificates())
        .expect("a proof");
    assert_eq!(proof.hosts().list(), "n2.example.org");
    let proof = dialing.proof(client.peer_certificates()).expect("a proof");
    assert_eq!(proof.hosts().list(), "127.0.0.1, [::1], n1.example.org");
    assert_eq!(dialing.proof(None), None);

    let stranger = fixture("stranger");
    let unknown = || CertificateError::UnknownIssuer;
    assert_eq!(
        invalid(between(&stranger, &accepting, "127.0.0.1")),
        unknown()
    );
    assert_eq!(
        invalid(between(&accepting, &stranger, "w1.example.org")),
        unknown()
    );
}

/// The end that dials accepts only a certificate that names exactly the host which it dials.
#[test]
fn the_dialed_host_is_named_exactly() {
    let dialing = fixture("ec");
    for (certificate, host, is_accepted) in [
        ("ec", "127.0.0.1", true),
        ("ec", "::1", true),
        ("ec", "n1.example.org", true),
        ("ec", "127.0.0.2", false),
        ("ec", "n2.example.org", false),
        ("rsa", "n2.example.org", true),
        ("rsa", "a.n2.example.org", false),
        ("rsa", "n2", false),
        ("rsa", "127.0.0.1", false),
    ] {
        let result = between(&dialing, &fixture(certificate), host);
        if is_accepted {
            assert!(result.is_ok(), "{host}: {:?}", result.err());
            continue;
        }
        let refused = invalid(result);
        let CertificateError::NotValidForNameContext {
            expected,
            presented,
        } = refused
        else {
            panic!("{host}: {refused:?}");
        };
        let proved = dialing_sees(certificate);
        assert_eq!(
            (expected.to_str().as_ref(), presented),
            (host, vec![proved])
        );
    }
}

fn dialing_sees(certificate: &str) -> String {
    let certificates = store(&file(&format!("{certificate}.pem")));
    let leaf = certificates.trusted().first().expect("a certificate");
    CertificateHosts::of(leaf).expect("its names").list()
}

/// A certificate that says for what it is must be for clients on the end that dials, and for
/// servers on the end that accepts. It must be valid now.
#[test]
fn usage_and_time_are_checked() {
    let authority = Authority::new();
    let both = authority.node("n1", |_| {});
    let used_for = |usage| authority.node("n1", |it| it.extended_key_usages = vec![usage]);
    let client = used_for(ExtendedKeyUsagePurpose::ClientAuth);
    let server = used_for(ExtendedKeyUsagePurpose::ServerAuth);
    assert!(between(&both, &server, "n1").is_ok());
    assert!(between(&both, &both, "n1").is_ok());
    // A worker at the host of a node has a certificate for clients, and must not act as the node.
    for (dialing, accepting) in [(&both, &client), (&server, &both), (&client, &both)] {
        let refused = invalid(between(dialing, accepting, "n1"));
        let text = format!("{refused:?}");
        assert!(text.starts_with("InvalidPurpose"), "{text}");
    }
    let old = authority.node("n1", |it| it.not_after = date_time_ymd(2001, 1, 2));
    for (dialing, accepting) in [(&both, &old), (&old, &both)] {
        let refused = invalid(between(dialing, accepting, "n1"));
        assert!(
            matches!(refused, CertificateError::ExpiredContext { .. }),
            "{refused:?}"
        );
    }
}

/// A proof is accepted as long as the trust store has the same certificates, also in another order
/// and beside another certificate of the node itself.
#[test]
fn a_proof_ends_with_its_trust_store() {
    let (one, other) = (Authority::new(), Authority::new());
    let key_store = one.key_store("n1", |_| {});
    let trusting = |pems: &[&str]| {
        let trusted = store(pems.concat().as_bytes());
        PeerCertificates::new(&key_store, &trusted).expect("settings")
    };
    let both = trusting(&[&one.pem, &other.pem]);
    let session = between(&both, &both, "n1").expect("it is trusted");
    let proof = both
        .proof(session.client.peer_certificates())
        .expect("a proof");
    assert!(both.accepts(&proof));
    assert!(trusting(&[&other.pem, &one.pem]).accepts(&proof));
    let renewed = one.key_store("n1", |_| {});
    let trusted = store([&*one.pem, &*other.pem].concat().as_bytes());
    let renewed = PeerCertificates::new(&renewed, &trusted).expect("settings");
    assert!(renewed.accepts(&proof));
    for changed in [trusting(&[&one.pem]), trusting(&[&other.pem])] {
        assert!(!changed.accepts(&proof));
    }
}

/// A peer that shows no certificate, and one with a key of a shared secret, are refused in both
/// directions.
#[test]
fn other_proofs_are_refused() {
    let node = fixture("ec");
    let mut silent = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("a version")
        .with_root_certificates(
            TrustedRoots::of(&store(&file("root.pem")))
                .expect("roots")
                .authorities()
                .clone(),
        )
        .with_no_client_auth();
    silent.alpn_protocols = vec![PEER_ALPN.to_vec()];
    let refused = handshake(Arc::new(silent), node.server_config(), "127.0.0.1").err();
    assert_eq!(refused, Some(Error::NoCertificatesPresented));

    let secrets = SecretList::parse("a-secret-of-32-bytes-or-some-more").expect("a list");
    let keys = PeerKeys::derive(&secrets, "test").expect("keys");
    let other = PeerIncompatible::IncorrectCertificateTypeExtension;
    for (from, to) in [
        (keys.client_config(), node.server_config()),
        (node.client_config(), keys.server_config()),
    ] {
        let refused = handshake(from, to, "127.0.0.1").err();
        assert_eq!(refused, Some(Error::PeerIncompatible(other.clone())));
    }
}

/// Stores without a key or without an authority are refused.
#[test]
fn stores_are_checked() {
    let (keys, trusted) = (
        Authority::new().key_store("n1", |_| {}),
        store(&file("root.pem")),
    );
    let refused = |keys, trusted| PeerCertificates::new(keys, trusted).expect_err("it is refused");
    assert_eq!(refused(&trusted, &trusted), HttpsError::NoPrivateKey);
    assert_eq!(refused(&keys, &KeyStore::default()), HttpsError::NoAnchor);
}

/// Returns the certificates of this many authorities, none of which has issued the next one.
fn unrelated(count: usize) -> Vec<CertificateDer<'static>> {
    let authorities = (0..count).map(|_| Authority::new());
    let der = authorities.map(|authority| {
        CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("a certificate")
    });
    der.collect()
}

/// A chain that is longer than any real one is refused before a path through it is searched. The
/// search would take seconds for a few hundred certificates, and nothing is proved yet.
#[test]
fn long_chains_are_refused() {
    let trusted = TrustedRoots::of(&store(&file("root.pem"))).expect("roots");
    let shown = CertificateDer::from_pem_slice(&file("ec.pem")).expect("a certificate");
    for (issuers, is_tried) in [(0, true), (4, true), (5, false), (400, false)] {
        let more = unrelated(issuers);
        assert_eq!(
            trusted.path_of(&shown, &more).is_ok(),
            is_tried,
            "{issuers}"
        );
    }
}

/// A trusted certificate that is not that of an authority proves its own hosts, and those of no
/// certificate that it has issued.
#[test]
fn only_authorities_issue_certificates() {
    let mut parameters = CertificateParams::new(vec!["n1".to_owned()]).expect("a host");
    let key = KeyPair::generate().expect("a key");
    let own = parameters.self_signed(&key).expect("a certificate");
    let trusted = store(pem("CERTIFICATE", own.der()).as_bytes());
    let own_keys = [
        pem("PRIVATE KEY", &key.serialize_der()),
        pem("CERTIFICATE", own.der()),
    ];
    let own_keys = store(own_keys.concat().as_bytes());
    let n1 = PeerCertificates::new(&own_keys, &trusted).expect("settings");
    assert!(between(&n1, &n1, "n1").is_ok());

    // With the key of n1, anyone who has it could issue a certificate for n2.
    parameters.is_ca = IsCa::NoCa;
    let issuer = Issuer::new(parameters, key);
    let false_n2 = Authority {
        issuer,
        pem: pem("CERTIFICATE", own.der()),
    };
    let false_n2 = false_n2.node("n2", |_| {});
    for (dialing, accepting, host) in [(&n1, &false_n2, "n2"), (&false_n2, &n1, "n1")] {
        let refused = invalid(between(dialing, accepting, host));
        assert_eq!(refused, CertificateError::UnknownIssuer);
    }
}
