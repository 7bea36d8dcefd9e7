//! Cipher suites and keys that are left out or refused.

use super::*;

/// Patterns leave the cipher suites that match, by their names in Java.
#[test]
fn cipher_suites_are_chosen() {
    let keys = ec();
    let with = |included: &'static str, excluded: &'static str| HttpsSettings {
        included_ciphers: included,
        excluded_ciphers: excluded,
        ..settings(&keys)
    };
    let suite = |included, excluded, version| {
        let config = with(included, excluded).server_config().expect("settings");
        let client = Arc::new(client(&[version]));
        handshake(&client, &config, "n1.example.org").map(|session| session.suite())
    };
    let all = suite("", "", &TLS13);
    assert_eq!(all, Ok(CipherSuite::TLS13_AES_256_GCM_SHA384));
    let no_256 = suite("", ".*_AES_256_.*", &TLS13);
    assert_eq!(no_256, Ok(CipherSuite::TLS13_AES_128_GCM_SHA256));
    let only = suite("TLS_CHACHA20_.*, TLS_ECDHE_.*_SHA384", " ", &TLS13);
    assert_eq!(only, Ok(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256));
    let only = suite("TLS_CHACHA20_.*, TLS_ECDHE_.*_SHA384", " ", &TLS12);
    assert_eq!(
        only,
        Ok(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)
    );
    assert!(suite("TLS_AES_128_GCM_SHA256", "", &TLS12).is_err());

    let none = "leaves none of the cipher suites TLS_AES_256_GCM_SHA384, ";
    let refused = refusal(with("", ".*"));
    assert!(refused.starts_with(&format!("http-server.https.excluded-cipher: {none}")));
    // A pattern must match the whole name.
    let refused = refusal(with("TLS_AES|AES_128", ""));
    assert!(refused.starts_with(&format!("http-server.https.included-cipher: {none}")));
    assert_eq!(
        refusal(with(".*_ECDHE_RSA_.*", "")),
        "http-server.https.included-cipher: leaves no cipher suite for the ECDSA key of \
         the PEM file"
    );
    assert_eq!(
        refusal(with("", "TLS_(?!AES).*")),
        "http-server.https.excluded-cipher: TLS_(?!AES).* is not a regular expression that is \
         supported: look-around, including look-ahead and look-behind, is not supported"
    );
    let refused = refusal(with("a)|(b", ""));
    assert!(
        refused.contains("a)|(b is not a regular expression"),
        "{refused}"
    );
    let refused = refusal(with("((((.{99}){99}){99}){99})", ""));
    assert!(refused.contains("exceeds size limit"), "{refused}");
}

/// The default of airlift excludes nothing that rustls has.
#[test]
fn the_default_excludes_nothing() {
    let all = cipher_suites("", EXCLUDED_CIPHERS_DEFAULT).expect("suites");
    assert_eq!(all.len(), ALL_CIPHER_SUITES.len());
}

/// Keys that are weak, not supported or missing are refused by their name.
#[test]
fn keys_are_checked() {
    let of = |names: &[&str]| refusal(settings(&store(names)));
    let path = "http-server.https.keystore.path:";
    let supported = "use EC P-256, EC P-384, Ed25519 or RSA with 2048 to 4096 bits";
    assert_eq!(
        of(&["weak.pkcs8.pem", "weak.pem"]),
        format!("{path} the RSA key of the PEM file has 1024 bits, and at least 2048 are needed")
    );
    for (name, kind) in [("p521", "EC P-521"), ("dsa", "DSA")] {
        assert_eq!(
            of(&[&format!("{name}.pkcs8.pem"), &format!("{name}.pem")]),
            format!(
                "{path} the key of the PEM file is {kind}, which is not supported: {supported}"
            )
        );
    }
    assert_eq!(of(&["root.pem"]), format!("{path} holds no private key"));
    // A key that is not supported is taken to be that of the first certificate.
    let other = "is damaged, or its certificate is of another key";
    assert_eq!(
        of(&["p521.pkcs8.pem", "ec.pem"]),
        format!("{path} the private key of the PEM file {other}")
    );
    assert_eq!(
        of(&["keytool-other-key.p12"]),
        format!("{path} the private key n3 {other}")
    );
}
