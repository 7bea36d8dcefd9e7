//! Targets for the proofs of identity: tokens, files with tokens and secrets, and certificates.

use quorate::security::{AccessTokens, CertificateHosts, EngineKeys, SecretList, not_after_s};
use rustls::pki_types::CertificateDer;
use std::sync::OnceLock;

/// The secret of the tokens in the corpus.
const SECRET: &str = "the-secret-of-the-corpus-of-tokens";

/// The time of the check, at which the tokens of the corpus are valid, in seconds since 1970.
const NOW_S: u64 = 1_800_000_000;

/// The valid tokens of the corpus, one of each derivation.
const VALID: [&[u8]; 2] = [
    include_bytes!("../corpus/engine_token/presto"),
    include_bytes!("../corpus/engine_token/trino"),
];

/// Checks the token of an engine. Only the tokens that were made with the secret are valid.
pub(crate) fn engine_token(token: &[u8]) {
    static KEYS: OnceLock<EngineKeys> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let secrets = SecretList::parse(SECRET).expect("a list");
        EngineKeys::derive(&secrets, "test")
    });
    let Ok(text) = std::str::from_utf8(token) else {
        return;
    };
    let is_valid = VALID.contains(&token);
    assert_eq!(keys.verify(text, NOW_S).is_ok(), is_valid, "{text}");
}

/// Parses a file with the tokens of people. Its text is none of the tokens.
pub(crate) fn access_tokens(file: &[u8]) {
    let text = String::from_utf8_lossy(file);
    if let Ok(tokens) = AccessTokens::parse(&text) {
        for line in text.lines() {
            assert!(
                tokens.owner(line).is_none(),
                "a line of the file is no token"
            );
        }
    }
}

/// Parses a file with secrets, whose `Debug` output contains none of them.
pub(crate) fn secrets(file: &[u8]) {
    let text = String::from_utf8_lossy(file);
    if let Ok(secrets) = SecretList::parse(&text) {
        let shown = format!("{secrets:?}");
        for secret in text.lines().map(str::trim) {
            assert!(secret.is_empty() || !shown.contains(secret), "{shown}");
        }
    }
}

/// Reads the fields of a certificate.
pub(crate) fn certificate(der: &[u8]) {
    let certificate = CertificateDer::from(der);
    let _ = not_after_s(&certificate);
    let _ = CertificateHosts::of(&certificate);
}
