//! Tests with the stores of `stores/`, which keytool 17 and OpenSSL 3 made.

mod damage;

use super::*;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use std::collections::BTreeMap;

const PASSWORD: StorePasswords<'_> = StorePasswords {
    store: Some("store-password"),
    key: None,
};
const WITH_KEY_PASSWORD: StorePasswords<'_> = StorePasswords {
    store: Some("store-password"),
    key: Some("key-password"),
};
const EMPTY: StorePasswords<'_> = StorePasswords {
    store: Some(""),
    key: None,
};
const NONE: StorePasswords<'_> = StorePasswords {
    store: None,
    key: None,
};
const WRONG: StorePasswords<'_> = StorePasswords {
    store: Some("wrong-password"),
    key: None,
};

/// The stores that can be read: the file, its passwords, its keys with the lengths of their chains,
/// and the number of trusted certificates.
type Readable<'a> = (&'a str, StorePasswords<'a>, &'a [(&'a str, usize)], usize);

const READABLE: &[Readable<'_>] = &[
    ("keytool-default.p12", PASSWORD, &[("n3", 1)], 0),
    ("keytool-legacy-default.p12", PASSWORD, &[("n3", 1)], 0),
    ("openssl-default.p12", PASSWORD, &[("n1", 3)], 0),
    ("keytool.p12", PASSWORD, &[("n3", 1)], 0),
    ("keytool-rsa.p12", PASSWORD, &[("n3", 1)], 0),
    ("keytool-legacy.p12", PASSWORD, &[("n3", 1)], 0),
    ("keytool-chain.p12", PASSWORD, &[("n1", 3)], 0),
    (
        "keytool-key-password.p12",
        WITH_KEY_PASSWORD,
        &[("n3", 1)],
        0,
    ),
    ("keytool-several.p12", PASSWORD, SEVERAL, 1),
    ("keytool-trust.p12", PASSWORD, &[], 2),
    ("keytool-no-password.p12", NONE, &[], 1),
    ("keytool-no-password.p12", PASSWORD, &[], 1),
    ("keytool.jks", PASSWORD, &[("n3", 1)], 0),
    ("keytool-rsa.jks", PASSWORD, &[("n3", 1)], 0),
    ("keytool-chain.jks", PASSWORD, &[("n1", 3)], 0),
    (
        "keytool-key-password.jks",
        WITH_KEY_PASSWORD,
        &[("n3", 1)],
        0,
    ),
    ("keytool-several.jks", PASSWORD, SEVERAL, 1),
    ("keytool-trust.jks", PASSWORD, &[], 2),
    ("keytool-trust.jks", NONE, &[], 2),
    ("openssl.p12", PASSWORD, &[("n1", 3)], 0),
    ("openssl-legacy.p12", PASSWORD, &[("n1", 3)], 0),
    ("openssl-rc2.p12", PASSWORD, &[("n1", 3)], 0),
    ("openssl-sha512.p12", PASSWORD, &[("n1", 3)], 0),
    ("openssl-empty-password.p12", EMPTY, &[("n1", 3)], 0),
    ("openssl-empty-password.p12", NONE, &[("n1", 3)], 0),
    ("openssl-no-mac.p12", PASSWORD, &[("n1", 3)], 0),
    ("openssl-plain.p12", NONE, &[("n1", 3)], 0),
    ("openssl-million.p12", PASSWORD, &[("n1", 3)], 0),
    ("root.pem", NONE, &[], 1),
];

const SEVERAL: &[(&str, usize)] = &[("n3", 1), ("n4", 1), ("n5", 1)];

fn file(name: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/key_store/stores/");
    std::fs::read(format!("{path}{name}")).expect("a store")
}

/// Returns the files, one after the other.
fn files(names: &[&str]) -> Vec<u8> {
    names.iter().flat_map(|name| file(name)).collect()
}

fn certificates(names: &[&str]) -> Vec<CertificateDer<'static>> {
    let read = |name: &&str| CertificateDer::from_pem_slice(&file(name)).expect("a certificate");
    names.iter().map(read).collect()
}

/// Checks that rustls takes each key, and that it belongs to the first certificate of its chain.
fn assert_usable(store: &KeyStore, name: &str) {
    for entry in store.entries() {
        let key = any_supported_type(entry.key()).expect(name);
        CertifiedKey::new(entry.chain().to_vec(), key)
            .keys_match()
            .expect(name);
    }
}

/// Each store is read completely, and its keys can be used.
#[test]
fn stores_of_java_and_openssl_are_read() {
    for (name, passwords, keys, trusted) in READABLE {
        let store = KeyStore::read(&file(name), passwords);
        let store = store.unwrap_or_else(|error| panic!("{name} {error}"));
        // Java writes JKS in the order of its hash table.
        let read: BTreeMap<_, _> = store
            .entries()
            .iter()
            .map(|entry| (entry.alias(), entry.chain().len()))
            .collect();
        assert_eq!(read, keys.iter().copied().collect(), "{name}");
        assert_eq!(store.trusted().len(), *trusted, "{name}");
        assert_eq!(store.anchors().count(), *trusted + keys.len(), "{name}");
        assert_usable(&store, name);
    }
}

/// A chain begins with the certificate of the key, followed by its issuers.
#[test]
fn chains_are_in_order() {
    let chain = certificates(&["ec.pem", "intermediate.pem", "root.pem"]);
    for name in ["keytool-chain.p12", "keytool-chain.jks", "openssl.p12"] {
        let store = KeyStore::read(&file(name), &PASSWORD).expect(name);
        assert_eq!(store.entries()[0].chain(), chain, "{name}");
    }
}

/// A PEM file may have its key in any supported format, and the key and the certificates in any
/// order. Certificates that are not part of the key's chain are left out.
#[test]
fn pem_files_are_read_in_any_order() {
    let keys = [
        ("ec.pkcs8.pem", "ec.pem"),
        ("ec.sec1.pem", "ec.pem"),
        ("ec.parameters.pem", "ec.pem"),
        ("ec.encrypted.pem", "ec.pem"),
        ("ec.encrypted-des3.pem", "ec.pem"),
        ("ec.encrypted-sha512.pem", "ec.pem"),
        ("rsa.pkcs8.pem", "rsa.pem"),
        ("rsa.pkcs1.pem", "rsa.pem"),
        ("rsa.encrypted-3des.pem", "rsa.pem"),
    ];
    for (key, leaf) in keys {
        let chain = certificates(&[leaf, "intermediate.pem", "root.pem"]);
        let sections = [key, "root.pem", "stranger.pem", leaf, "intermediate.pem"];
        for turn in 0..sections.len() {
            for is_reversed in [false, true] {
                let mut names = sections;
                names.rotate_left(turn);
                if is_reversed {
                    names.reverse();
                }
                let store = KeyStore::read(&files(&names), &PASSWORD).expect(key);
                assert_eq!(store.entries()[0].chain(), chain, "{names:?}");
                assert_eq!(store.trusted().len(), 0);
                assert_usable(&store, key);
            }
        }
    }
}

/// Line ends of Windows, text around the sections and a byte order mark are ignored.
#[test]
fn pem_files_of_editors_are_read() {
    let text = String::from_utf8(files(&["ec.pem", "ec.pkcs8.pem"])).expect("it is text");
    let text = format!("\u{feff}subject: n1\n{text}").replace('\n', "\r\n");
    let store = KeyStore::read(text.as_bytes(), &NONE).expect("a store");
    assert_usable(&store, "PEM");
    assert_eq!(store.entries()[0].alias(), "of the PEM file");
}

/// A key of an algorithm that rustls does not know is read with the first certificate, so that a
/// later check can name the algorithm.
#[test]
fn keys_that_are_not_supported_are_read() {
    for name in ["weak", "p521", "dsa"] {
        let names = [format!("{name}.pkcs8.pem"), format!("{name}.pem")];
        let store = KeyStore::read(&files(&[&names[0], &names[1]]), &NONE).expect(name);
        let chain = certificates(&[&names[1]]);
        assert_eq!(store.entries()[0].chain(), chain, "{name}");
    }
}

fn refusal(bytes: &[u8], passwords: StorePasswords<'_>) -> String {
    match KeyStore::read(bytes, &passwords) {
        Ok(store) => format!("{store:?}"),
        Err(error) => error.to_string(),
    }
}

/// A wrong password of the store, a wrong password of its keys and a missing password are
/// distinguished.
#[test]
fn passwords_are_checked() {
    for (name, passwords, keys, _) in READABLE {
        let (bytes, is_plain) = (file(name), passwords.store.is_none());
        if !is_plain && !name.contains("no-password") {
            assert_eq!(refusal(&bytes, WRONG), "wrong password", "{name}");
            let without = refusal(&bytes, NONE);
            let (is_empty, is_jks) = (passwords.store == Some(""), name.ends_with(".jks"));
            match (is_empty, is_jks && keys.is_empty()) {
                (false, false) => {
                    assert_eq!(without, "is encrypted, and no password is given", "{name}");
                }
                _ => assert!(without.starts_with("KeyStore"), "{name}: {without}"),
            }
        }
        if passwords.key.is_some() {
            let text = "wrong password of the key n3";
            assert_eq!(refusal(&bytes, PASSWORD), text, "{name}");
            let wrong = StorePasswords {
                key: Some("wrong-password"),
                ..PASSWORD
            };
            assert_eq!(refusal(&bytes, wrong), text, "{name}");
            let without_check = StorePasswords {
                store: None,
                ..WITH_KEY_PASSWORD
            };
            let read = KeyStore::read(&bytes, &without_check);
            assert_eq!(read.is_ok(), name.ends_with(".jks"), "{name}");
        }
    }
    let encrypted = files(&["ec.encrypted.pem", "ec.pem"]);
    assert_eq!(refusal(&encrypted, WRONG), "wrong password");
    assert_eq!(
        refusal(&encrypted, NONE),
        "is encrypted, and no password is given"
    );
    assert_eq!(
        refusal(&files(&["ec.pkcs8.pem", "ec.pem"]), WITH_KEY_PASSWORD),
        "is a PEM file, in which a key has no password of its own"
    );
}

/// Each file that cannot be read is refused in words that say what to do.
#[test]
fn other_files_are_refused() {
    let pem = |names: &[&str]| refusal(&files(names), PASSWORD);
    let store = |name: &str| refusal(&file(name), PASSWORD);
    assert_eq!(
        store("keytool.jceks"),
        "is a JCEKS store, which is not supported: \
         convert it with keytool -importkeystore -deststoretype pkcs12"
    );
    let endless = "uses 2147483648 iterations; the limit is 5000000";
    assert_eq!(store("endless-mac.p12"), endless);
    assert_eq!(store("endless-encryption.p12"), endless);
    assert_eq!(refusal(&file("endless-mac.p12"), NONE), endless);
    assert_eq!(
        pem(&["rsa.encrypted-pkcs1.pem", "rsa.pem"]),
        "is an encrypted PKCS#1 key, which is not supported: \
         convert it with openssl pkcs8 -topk8"
    );
    assert_eq!(
        pem(&["ec.pem", "ec.encrypted-sec1.pem"]),
        "is an encrypted SEC1 key, which is not supported: \
         convert it with openssl pkcs8 -topk8"
    );
    assert_eq!(
        pem(&["ec.encrypted-scrypt.pem", "ec.pem"]),
        "uses scrypt, which is not supported"
    );
    assert_eq!(
        pem(&["ec.pkcs8.pem", "rsa.pkcs8.pem", "ec.pem"]),
        "holds several private keys; a PEM file may hold one"
    );
    assert_eq!(
        pem(&["ec.pkcs8.pem", "rsa.pem"]),
        "holds no certificate of the private key"
    );
    assert_eq!(
        pem(&["ec.pkcs8.pem"]),
        "holds no certificate of the private key"
    );
    let unknown = "is neither PEM nor a JKS or PKCS #12 store";
    for bytes in [&b""[..], b"hello", b"\xfe\xed", &[0; 100]] {
        assert_eq!(refusal(bytes, PASSWORD), unknown);
    }
    assert_eq!(
        refusal(&[0x30, 0x80, 0, 0], PASSWORD),
        "is a PKCS #12 store in BER, which is not supported: \
         convert it with keytool -importkeystore -deststoretype pkcs12"
    );
    assert_eq!(
        refusal(&vec![0x30; STORE_BYTES_MAX + 1], PASSWORD),
        "has 1048577 bytes; the limit is 1048576"
    );
    let empty = "holds neither a private key nor a certificate";
    let section = b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    assert_eq!(refusal(section, NONE), empty);
}

/// All keys of a store together may take no more iterations than the caller allows.
#[test]
fn the_caller_limits_the_iterations() {
    // The MAC, the certificates and the key take 100 iterations each.
    let bytes = file("keytool.p12");
    assert!(KeyStore::read_within(&bytes, &PASSWORD, 300).is_ok());
    let refused = KeyStore::read_within(&bytes, &PASSWORD, 299).err();
    assert_eq!(refused, Some(KeyStoreError::TooManyIterationsInAll(299)));
}

/// The numbers of certificates, keys and links of a chain are limited.
#[test]
fn large_stores_are_refused() {
    let root = file("root.pem");
    assert!(KeyStore::read(&root.repeat(1_000), &NONE).is_ok());
    assert_eq!(
        refusal(&root.repeat(1_001), NONE),
        "holds more than 1000 certificates"
    );
    let jks = |entries: u32, entry: &[u8]| {
        let head = [JKS_MAGIC, &[0, 0, 0, 2], &entries.to_be_bytes()].concat();
        [head, entry.repeat(entries as usize), vec![0; 20]].concat()
    };
    // A length of the key that goes beyond the end follows the kind, no name and no date.
    let endless = [&[0, 0, 0, 1, 0, 0][..], &[0; 8], &[0xff; 4]].concat();
    let ends = "is damaged: it ends within an entry";
    assert_eq!(refusal(&jks(1, &endless), NONE), ends);
    let many = [JKS_MAGIC, &[0, 0, 0, 2], &[0xff; 24]].concat();
    assert_eq!(refusal(&many, NONE), ends);
    let bytes = file("keytool.jks");
    let (entry, count) = (&bytes[12..bytes.len() - 20], 101);
    assert_eq!(
        refusal(&jks(count, entry), NONE),
        "holds more than 100 private keys"
    );
}

/// No output of a store contains a password or a key.
#[test]
fn passwords_and_keys_are_hidden() {
    assert_eq!(format!("{WITH_KEY_PASSWORD:?}"), "StorePasswords(hidden)");
    let store = KeyStore::read(&file("keytool.p12"), &PASSWORD).expect("a store");
    let shown = format!("{store:?} {:?}", store.entries()[0]);
    assert_eq!(
        shown,
        "KeyStore(1 private keys, 0 trusted certificates) KeyEntry(n3, 1 certificates)"
    );
}
