//! The tokens of Presto's and Trino's engines, made independently of the product's own code.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// The block size of SHA-256 in bytes.
const BLOCK_BYTES: usize = 64;

/// The engine whose derivation makes the key of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenOf {
    /// Presto, PrestoSQL, and Trino up to 479.
    Presto,
    /// Trino from 480 on.
    Trino,
}

impl TokenOf {
    /// Returns the header that carries the token.
    pub fn header(self) -> &'static str {
        match self {
            TokenOf::Presto => "X-Presto-Internal-Bearer",
            TokenOf::Trino => "X-Trino-Internal-Bearer",
        }
    }

    /// Makes the token of a node that expires at a time in seconds since 1970.
    pub fn token(self, secret: &str, node_id: &str, expires_s: u64) -> String {
        let claims = format!(r#"{{"sub":"{node_id}","exp":{expires_s}}}"#);
        self.sign(secret, r#"{"alg":"HS256"}"#, &claims)
    }

    /// Signs any header and claims.
    pub fn sign(self, secret: &str, header: &str, claims: &str) -> String {
        let key = match self {
            TokenOf::Presto => Sha256::digest(secret).to_vec(),
            // RFC 5869: without salt, and with one block of output.
            TokenOf::Trino => {
                let prk = hmac(&[0; 32], secret.as_bytes());
                hmac(&prk, b"internal-communication\x01")
            }
        };
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(hmac(&key, signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// HMAC-SHA-256 (RFC 2104) with a key of at most one block.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let pad = |with: u8| {
        let mut block = [with; BLOCK_BYTES];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text);
    let outer = Sha256::new().chain_update(pad(0x5c));
    outer.chain_update(inner.finalize()).finalize().to_vec()
}
