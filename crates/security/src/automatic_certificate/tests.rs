//! Tests of the derivation, and of the certificate.

use super::*;
use crate::certificate::{SubjectAltName, not_after_s, subject_alt_names};
use crate::https::{EXCLUDED_CIPHERS_DEFAULT, HttpsSettings};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as RingKeyPair};

/// 2026-11-30 12:00:00.
const NOW_MS: u64 = 1_796_040_000_000;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn made(addresses: &[IpAddr]) -> KeyStore {
    let secret = Secret::parse("quorate-test-secret").expect("a secret");
    let certificate = AutomaticCertificate {
        secret: &secret,
        environment: "test",
        addresses,
        now_ms: NOW_MS,
    };
    assert!(!format!("{certificate:?}").contains("quorate-test-secret"));
    certificate.key_store().expect("a certificate")
}

/// The key is the one that JDK 17 and 25 generate.
#[test]
fn the_key_is_that_of_java() {
    assert_eq!(
        hex(&java_private_key(b"quorate-test-secret")),
        "7e608c580bb5f32772d7183ac1affa806b233936b1f3885e39164d8a4e1ea5e7"
    );
}

/// The public keys are those that ring computes.
#[test]
fn public_keys_are_those_of_ring() {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    for _ in 0..10 {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key");
        // The private key is at a fixed place in the encoding of ring.
        let scalar = pkcs8.as_ref()[36..68].try_into().expect("32 bytes");
        let point = p256_public_key(&scalar).expect("it is not zero");
        assert_eq!(hex(&point), hex(pair.public_key().as_ref()));
    }
    assert_eq!(p256_public_key(&[0; 32]), None);
}

/// The certificate is for all addresses and valid for ten years, and the listener takes it.
#[test]
fn the_certificate_is_for_all_addresses() {
    let addresses = ["10.1.2.3", "2001:db8::7"].map(|text| text.parse().expect("an address"));
    let store = made(&addresses);
    let entry = &store.entries()[0];
    assert_eq!(entry.alias(), "test");
    let [certificate] = entry.chain() else {
        panic!("one certificate");
    };
    let dns = |name: &str| SubjectAltName::Dns(name.to_owned());
    let names = [
        dns("10-1-2-3.ip"),
        SubjectAltName::Ip(addresses[0]),
        dns("x2001-db8--7.ip"),
        SubjectAltName::Ip(addresses[1]),
    ];
    assert_eq!(subject_alt_names(certificate), Ok(names.to_vec()));
    // 2036-11-29 23:59:59.
    assert_eq!(not_after_s(certificate), Ok(2_111_615_999));
    // The object identifier of the authority key identifier (2.5.29.35).
    let is_found = certificate
        .windows(5)
        .any(|part| part == [6, 3, 0x55, 0x1d, 0x23]);
    assert!(!is_found);
    let settings = HttpsSettings {
        key_store: &store,
        trust_store: None,
        included_ciphers: "",
        excluded_ciphers: EXCLUDED_CIPHERS_DEFAULT,
        session_timeout_s: 0,
    };
    settings.server_config().expect("settings");
}

/// A node without an address has a certificate without names.
#[test]
fn a_certificate_needs_no_address() {
    let store = made(&[]);
    assert_eq!(
        subject_alt_names(&store.entries()[0].chain()[0]),
        Ok(vec![])
    );
}
