//! Makes tokens, for a load generator that acts as engines.

use super::derivation::keys_of;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::Serialize;
use std::fmt;

/// A signer of tokens as Trino makes them from release 480 on. The `Debug` output does not show the
/// key.
pub struct EngineTokenSigner(hmac::Key);

#[derive(Serialize)]
struct SignedHeader {
    alg: &'static str,
}

#[derive(Serialize)]
struct SignedClaims<'a> {
    sub: &'a str,
    exp: u64,
}

impl EngineTokenSigner {
    /// Derives the key of a secret.
    pub fn of(secret: &Secret) -> EngineTokenSigner {
        let [_, key] = keys_of(secret.bytes());
        EngineTokenSigner(key)
    }

    /// Makes the token of an engine, which expires at a time in seconds since 1970.
    pub fn token(&self, node_id: &str, expires_s: u64) -> String {
        let claims = SignedClaims {
            sub: node_id,
            exp: expires_s,
        };
        let signed = format!(
            "{}.{}",
            encoded(&SignedHeader { alg: "HS256" }),
            encoded(&claims)
        );
        let signature = hmac::sign(&self.0, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn encoded(part: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).expect("texts and numbers are JSON"))
}

impl fmt::Debug for EngineTokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineTokenSigner(hidden)")
    }
}
