//! The tokens with which engines prove that they have the shared secret of
//! `internal-communication.shared-secret`.
//!
//! A token is a JSON Web Token (RFC 7519) with HMAC-SHA-256. In Presto, and in Trino up to 479, the
//! key is the SHA-256 digest of the secret. Newer releases of Trino derive the key from the secret
//! with HKDF. An engine without a secret uses the name of its environment instead of a secret, and
//! its token proves nothing.

mod derivation;
mod signing;

use crate::secret_list::SecretList;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use derivation::keys_of;
use quorate_planted::{Bug, is_planted};
use ring::hmac;
use serde::Deserialize;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use thiserror::Error;

pub use signing::EngineTokenSigner;

/// Maximum length of a token in bytes. Real ones have about 150.
pub const TOKEN_BYTES_MAX: usize = 4_096;

/// The header `{"alg":"HS256"}` in base64url, which all engines send today.
const USUAL_HEADER: &str = "eyJhbGciOiJIUzI1NiJ9";

/// Maximum difference in seconds between the clocks of an engine and of this node.
pub const LEEWAY_S: u64 = 60;

/// The keys with which tokens are checked: two for each secret, one for each derivation.
pub struct EngineKeys {
    keys: Vec<hmac::Key>,
    /// The position in `keys` of the key of the last valid token. It is tried first, since most
    /// engines of a cluster have the same release and secret.
    last_used: AtomicUsize,
    /// The keys that an engine uses if no secret is configured for it. A token made with such a key
    /// is always refused; the keys serve only to name this cause.
    environment: [hmac::Key; 2],
}

/// The reason why a token is refused. The reason never contains the token or a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EngineTokenError {
    /// The token is longer than any real one.
    #[error("it is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    /// The token does not have three parts in base64url, of which the first two are JSON.
    #[error("it is not a JSON Web Token")]
    Malformed,
    /// The signature was not made with any secret of this node.
    #[error("no shared secret of this node made this signature")]
    WrongSecret,
    /// The signature was made with the name of the environment.
    #[error(
        "it is signed with the name of the environment, so the engine has no \
         internal-communication.shared-secret"
    )]
    NoSecret,
    /// The header names another algorithm than HS256, or extensions that must be understood.
    #[error("its algorithm is not HS256")]
    Algorithm,
    /// The token never expires.
    #[error("it has no expiry")]
    NoExpiry,
    /// The token has expired.
    #[error(
        "it expired {ago_s} s ago by this node's clock, which allows {LEEWAY_S} s: compare the \
         clocks"
    )]
    Expired {
        /// Seconds since the expiry.
        ago_s: u64,
    },
    /// The start of the token's validity, or its time of issue, is too far in the future.
    #[error("it is from {ahead_s} s in the future by this node's clock: compare the clocks")]
    Early {
        /// Seconds from now until that time.
        ahead_s: u64,
    },
    /// The token does not say which node it belongs to.
    #[error("it names no node")]
    NoSubject,
}

/// The header of a token. Only the algorithm and the presence of `crit` are checked, so a header
/// cannot select another key.
#[derive(Deserialize)]
struct Header {
    alg: String,
    crit: Option<serde_json::Value>,
}

/// The claims of a token, with times in seconds since 1970.
#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
}

impl EngineKeys {
    /// Derives the keys of the secrets. Also derives the keys that an engine of this environment
    /// uses if no secret is configured for it.
    pub fn derive(secrets: &SecretList, environment: &str) -> EngineKeys {
        EngineKeys {
            keys: secrets
                .iter()
                .take(match is_planted(Bug::FirstSecretOnly) {
                    true => 1,
                    false => usize::MAX,
                })
                .flat_map(|secret| keys_of(secret.bytes()))
                .collect(),
            last_used: AtomicUsize::new(0),
            environment: keys_of(environment.as_bytes()),
        }
    }

    /// Checks a token, and returns the `node.id` of the engine that the token belongs to. `now_s`
    /// is the time of this node's clock in seconds since 1970.
    ///
    /// # Errors
    /// Returns the reason why the token is not valid now. The signature is checked before anything
    /// in the token is used.
    pub fn verify(&self, token: &str, now_s: u64) -> Result<String, EngineTokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(EngineTokenError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(EngineTokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(EngineTokenError::Malformed)?;
        let signature = decode(signature)?;
        let is_signed_by =
            |key: &hmac::Key| hmac::verify(key, signed.as_bytes(), &signature).is_ok();
        let names_none = || json::<Header>(header).is_ok_and(|header| header.alg == "none");
        let is_unsigned = is_planted(Bug::AlgNone) && names_none();
        if !is_unsigned && !self.are_used_by(is_signed_by) {
            return Err(match self.environment.iter().any(is_signed_by) {
                true => EngineTokenError::NoSecret,
                false => EngineTokenError::WrongSecret,
            });
        }
        if !is_unsigned && header != USUAL_HEADER {
            let header: Header = json(header)?;
            if header.alg != "HS256" || header.crit.is_some() {
                return Err(EngineTokenError::Algorithm);
            }
        }
        let claims: Claims = json(claims)?;
        claims.check_times(now_s)?;
        match claims.sub {
            Some(node_id) if !node_id.is_empty() => Ok(node_id),
            _ => Err(EngineTokenError::NoSubject),
        }
    }

    /// Returns whether one of the keys made a signature, which `is_signed_by` checks.
    fn are_used_by(&self, is_signed_by: impl Fn(&hmac::Key) -> bool) -> bool {
        let last_used = self.last_used.load(Relaxed);
        if self.keys.get(last_used).is_some_and(&is_signed_by) {
            return true;
        }
        let used = self.keys.iter().position(is_signed_by);
        if let Some(used) = used {
            self.last_used.store(used, Relaxed);
        }
        used.is_some()
    }
}

impl fmt::Debug for EngineKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EngineKeys({} accepted)", self.keys.len())
    }
}

impl Claims {
    fn check_times(&self, now_s: u64) -> Result<(), EngineTokenError> {
        let now = now_s as f64;
        let leeway = LEEWAY_S as f64;
        let expiry = self.exp.ok_or(EngineTokenError::NoExpiry)?;
        if now >= expiry + leeway && !is_planted(Bug::ExpiryIgnored) {
            let ago_s = (now - expiry) as u64;
            return Err(EngineTokenError::Expired { ago_s });
        }
        for start in [self.nbf, self.iat].into_iter().flatten() {
            if start > now + leeway {
                let ahead_s = (start - now) as u64;
                return Err(EngineTokenError::Early { ahead_s });
            }
        }
        Ok(())
    }
}

fn decode(part: &str) -> Result<Vec<u8>, EngineTokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| EngineTokenError::Malformed)
}

fn json<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, EngineTokenError> {
    serde_json::from_slice(&decode(part)?).map_err(|_| EngineTokenError::Malformed)
}

#[cfg(test)]
mod tests;
