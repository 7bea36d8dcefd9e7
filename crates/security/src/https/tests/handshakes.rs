//! Handshakes: versions, protocols and the choice of a certificate.

use super::*;

/// Both versions of TLS work with both kinds of keys, and with the stores of Java.
#[test]
fn clients_of_both_versions_are_served() {
    let (java_p12, java_jks) = (store(&["keytool-chain.p12"]), store(&["keytool-chain.jks"]));
    let cases = [
        (ec(), "n1.example.org"),
        (rsa(), "n2.example.org"),
        (java_p12, "n1.example.org"),
        (java_jks, "n1.example.org"),
    ];
    for (keys, host) in cases {
        for version in [&TLS12, &TLS13] {
            let client = Arc::new(client(&[version]));
            let session = handshake(&client, &server(&keys), host).expect(host);
            assert_eq!(session.server.protocol_version(), Some(version.version));
            assert_eq!(session.server.alpn_protocol(), Some(&b"h2"[..]));
            assert_eq!(session.shown(), dns(host));
            assert_eq!(session.server.peer_certificates(), None);
        }
    }
}

/// The protocol is the first of the server's that the client offers. A client that offers only
/// others is refused, and one that offers nothing is served.
#[test]
fn the_protocol_is_chosen() {
    let keys = ec();
    let server = server(&keys);
    let offer = |offered: &[&str]| {
        let mut client = client(&[&TLS13]);
        client.alpn_protocols = offered
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let session = handshake(&Arc::new(client), &server, "n1.example.org")?;
        Ok(session.server.alpn_protocol().map(<[u8]>::to_vec))
    };
    assert_eq!(offer(&["http/1.1"]), Ok(Some(b"http/1.1".to_vec())));
    assert_eq!(offer(&["http/1.1", "h2"]), Ok(Some(b"h2".to_vec())));
    assert_eq!(offer(&[]), Ok(None));
    assert_eq!(
        offer(&["quorate-peer/2"]),
        Err(Error::NoApplicationProtocol)
    );
}

/// A certificate is chosen by its name, also with a wildcard and in other case. Without a match, it
/// is the first one.
#[test]
fn the_certificate_is_chosen_by_name() {
    let several = store(&["keytool-several.p12"]);
    let config = server(&several);
    let client_13 = Arc::new(client(&[&TLS13]));
    for host in ["n3.example.org", "n4.example.org", "n5.example.org"] {
        let session = handshake(&client_13, &config, host).expect(host);
        assert_eq!(session.shown(), dns(host));
    }
    let session = handshake(&client_13, &config, "N4.Example.ORG").expect("a session");
    assert_eq!(session.shown(), dns("n4.example.org"));

    let session = handshake(&client_13, &config, "a.n5.example.org").expect("a session");
    assert_eq!(session.shown(), dns("n5.example.org"));

    let presented = |client: ClientConfig, host: &str| {
        let refused = handshake(&Arc::new(client), &config, host).err();
        let Some(Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            presented,
            ..
        })) = refused
        else {
            panic!("{host}: {refused:?}");
        };
        presented.join(" ")
    };
    for host in ["other.example.org", "a.b.n5.example.org", "127.0.0.1"] {
        assert!(
            presented(client(&[&TLS13]), host).contains("n3.example.org"),
            "{host}"
        );
    }
    // A client that supports only RSA is shown the key of RSA, whatever name it asks for.
    let suites = ALL_CIPHER_SUITES.iter().copied();
    let provider = CryptoProvider {
        cipher_suites: suites
            .filter(|suite| format!("{suite:?}").contains("_RSA_"))
            .collect(),
        ..default_provider()
    };
    let roots = RootCertStore::empty();
    let rsa_only = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS12])
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let refused = handshake(&Arc::new(rsa_only), &config, "n3.example.org").err();
    let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
    assert_eq!(refused, Some(unknown), "a certificate was shown");
}
