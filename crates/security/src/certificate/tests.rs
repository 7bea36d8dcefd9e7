//! Tests of the fields of certificates that openssl and keytool made.

use super::*;
use rustls::pki_types::pem::PemObject;

fn certificate(pem: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem).expect("a certificate")
}

/// Host names and addresses are found, in the order of the certificate.
#[test]
fn names_are_found() {
    let ec = certificate(include_bytes!("../key_store/stores/ec.pem"));
    let names = subject_alt_names(&ec).expect("a certificate");
    let ip = |text: &str| SubjectAltName::Ip(text.parse().expect("an address"));
    let dns = |text: &str| SubjectAltName::Dns(text.to_owned());
    assert_eq!(names, [dns("n1.example.org"), ip("127.0.0.1"), ip("::1")]);
    let rsa = certificate(include_bytes!("../key_store/stores/rsa.pem"));
    let names = subject_alt_names(&rsa).expect("a certificate");
    assert_eq!(names, [dns("n2.example.org"), dns("*.n2.example.org")]);
    let root = certificate(include_bytes!("../key_store/stores/root.pem"));
    assert_eq!(subject_alt_names(&root), Ok(vec![]));
}

/// Both encodings of a time are read: the one for 2001, and the one for the next century.
#[test]
fn the_end_of_validity_is_found() {
    let expired = certificate(include_bytes!("../key_store/stores/expired.pem"));
    let end_s = not_after_s(&expired).expect("a certificate");
    // 2001-01-02, give or take the time zone in which the certificate was made.
    assert!((978_393_600 - end_s).abs() <= 86_400, "{end_s}");
    let ec = certificate(include_bytes!("../key_store/stores/ec.pem"));
    // 2100-01-01.
    assert!(not_after_s(&ec).expect("a certificate") > 4_102_444_800);
}

/// No prefix of a certificate is read as a certificate, and none causes a panic.
#[test]
fn a_part_of_a_certificate_is_refused() {
    let whole = certificate(include_bytes!("../key_store/stores/ec.pem"));
    for length in 0..whole.len() {
        let part = CertificateDer::from(&whole[..length]);
        assert_eq!(not_after_s(&part), Err(UnreadableCertificate));
        assert_eq!(subject_alt_names(&part), Err(UnreadableCertificate));
    }
}
