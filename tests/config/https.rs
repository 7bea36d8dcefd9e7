//! Tests of the settings of HTTPS. The stores are fixtures of `quorate-security`.

use crate::installation::{Installation, with_config};
use quorate::config::KeySource;
use std::fs;
use std::path::PathBuf;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const KEY_STORE: &str = "http-server.https.keystore.path";

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("crates/security/src/key_store/stores")
        .join(name)
}

fn with_lines(lines: &str) -> Installation {
    with_config(&format!(
        "node.environment=test\nnode.id=a\nhttp-server.https.enabled=true\n{lines}\n"
    ))
}

/// Returns an installation with a copy of a store, and the lines for its password.
fn with_store(name: &str, lines: &str) -> Installation {
    let installation = with_lines(&format!("{KEY_STORE}=etc/{name}\n{lines}"));
    fs::copy(fixture(name), installation.etc().join(name)).expect("a fixture");
    installation
}

/// Stores of each kind are read, with the defaults of airlift.
#[test]
fn stores_are_read() {
    for (name, lines) in [
        (
            "keytool.p12",
            "http-server.https.keystore.key=store-password",
        ),
        (
            "openssl.p12",
            "http-server.https.keystore.key=store-password",
        ),
        (
            "keytool.jks",
            "http-server.https.keystore.key=store-password",
        ),
        (
            "keytool-key-password.jks",
            "http-server.https.keystore.key=store-password\n\
             http-server.https.keymanager.password=key-password",
        ),
    ] {
        let https = with_store(name, lines).load().security.https.expect(name);
        assert_eq!((https.port, https.refresh_ms), (8443, 60_000), "{name}");
        assert!(matches!(https.key_source, KeySource::Store(_)), "{name}");
        assert!(
            !format!("{https:?}").contains("store-password"),
            "{name}: {https:?}"
        );
    }
    let automatic = format!("http-server.https.automatic-shared-secret={SECRET}");
    let https = with_lines(&automatic).load().security.https.expect("HTTPS");
    assert!(matches!(https.key_source, KeySource::Automatic(_)));
    assert!(!format!("{https:?}").contains(SECRET));
}

/// Each bad setting is refused with its key, and with the file and the reason. No report contains a
/// password.
#[test]
fn bad_settings_are_named() {
    let neither = with_lines("").errors();
    let said = "http-server.https.enabled: Keystore path or automatic HTTPS shared secret must be \
                provided when HTTPS is enabled";
    assert!(neither.ends_with(said), "{neither}");
    let missing = with_lines(&format!("{KEY_STORE}=etc/none.p12")).errors();
    let said =
        format!("{KEY_STORE}: none.p12 cannot be read: No such file or directory (os error 2)");
    assert!(missing.ends_with(&said), "{missing}");
    for (name, lines, said) in [
        (
            "keytool.p12",
            "http-server.https.keystore.key=hunter2",
            "keytool.p12 wrong password (http-server.https.keystore.key)",
        ),
        (
            "keytool.p12",
            "",
            "keytool.p12 is encrypted, and no password is given (http-server.https.keystore.key)",
        ),
        ("ec.pem", "", "ec.pem holds no private key"),
        (
            "keytool.jceks",
            "http-server.https.keystore.key=store-password",
            "keytool.jceks is a JCEKS store, which is not supported: convert it with keytool \
             -importkeystore -deststoretype pkcs12",
        ),
        (
            "endless-mac.p12",
            "http-server.https.keystore.key=store-password",
            "endless-mac.p12 uses 2147483648 iterations; the limit is 5000000",
        ),
    ] {
        let errors = with_store(name, lines).errors();
        assert!(
            errors.ends_with(&format!("{KEY_STORE}: {said}")),
            "{errors}"
        );
        assert!(!errors.contains("hunter2"), "{errors}");
    }
    let none_left = with_store(
        "keytool.p12",
        "http-server.https.keystore.key=store-password\nhttp-server.https.included-cipher=X.*",
    );
    let errors = none_left.errors();
    let said = "http-server.https.included-cipher: leaves none of the cipher suites";
    assert!(errors.contains(said), "{errors}");
    let both = format!(
        "http-server.https.keystore.key=store-password\n\
         http-server.https.automatic-shared-secret={SECRET}"
    );
    let errors = with_store("keytool.p12", &both).errors();
    assert!(
        errors.contains("cannot be set beside http-server.https.keystore.path"),
        "{errors}"
    );
    assert!(!errors.contains(SECRET));
}

/// A node without plain HTTP needs HTTPS, and peers that prove the shared secret.
#[test]
fn http_can_be_disabled() {
    const OFF: &str = "http-server.http.enabled=false";
    let neither = with_config(&format!("node.environment=test\nnode.id=a\n{OFF}\n")).errors();
    assert!(
        neither.contains("either HTTP or HTTPS must be enabled"),
        "{neither}"
    );
    let automatic = format!("http-server.https.automatic-shared-secret={SECRET}\n{OFF}");
    let open = with_lines(&automatic).errors();
    assert!(
        open.contains("false needs cluster.peer-authentication=require"),
        "{open}"
    );
    let closed = with_lines(&format!("{automatic}\ncluster.shared-secret={SECRET}")).load();
    assert!(!closed.http_enabled && closed.security.https.is_some());
}
