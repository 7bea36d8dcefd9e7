//! The certificates of clients.

use super::*;

/// With a trust store, a client may show a certificate of one of its issuers, or none, but no other
/// one.
#[test]
fn certificates_of_clients_are_verified() {
    let (keys, trusted) = (rsa(), store(&["root.pem"]));
    let config = HttpsSettings {
        trust_store: Some(&trusted),
        ..settings(&keys)
    };
    let config = config.server_config().expect("settings");
    for version in [&TLS12, &TLS13] {
        let show = |name| {
            let client = Arc::new(client_with(&[version], name));
            handshake(&client, &config, "n2.example.org")
        };
        let session = show(Some("client")).expect("it is trusted");
        let shown = session.server.peer_certificates().expect("a certificate");
        let names = subject_alt_names(&shown[0]).expect("a certificate");
        assert_eq!(names[0], dns("w1.example.org"));
        let session = show(None).expect("none is needed");
        assert_eq!(session.server.peer_certificates(), None);
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(show(Some("stranger")).err(), Some(unknown));
    }
}

/// A trust store may be of Java, and its private keys count as trusted. One without a certificate
/// is refused.
#[test]
fn trust_stores_of_java_are_read() {
    let keys = ec();
    for name in [
        "keytool-trust.p12",
        "keytool-trust.jks",
        "keytool-several.jks",
    ] {
        let trusted = store(&[name]);
        let config = HttpsSettings {
            trust_store: Some(&trusted),
            ..settings(&keys)
        };
        let client = Arc::new(client_with(&[&TLS13], Some("client")));
        let config = config.server_config().expect(name);
        handshake(&client, &config, "n1.example.org").expect(name);
    }
    let empty = KeyStore::default();
    let none = HttpsSettings {
        trust_store: Some(&empty),
        ..settings(&keys)
    };
    assert_eq!(
        refusal(none),
        "http-server.https.truststore.path: holds no trusted certificate"
    );
}
