//! A shared secret.

use quorate_planted::{Bug, is_planted};
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// Minimum length of a secret in bytes. Everyone who has seen a token, or the public key of a node,
/// can guess a shorter secret.
pub const SECRET_BYTES_MIN: usize = 16;
/// Length in bytes from which a random secret in hex or base64 cannot be guessed. The operator is
/// warned of a shorter secret.
pub const SECRET_BYTES_ADVISED: usize = 32;
/// Maximum length of a secret in bytes.
pub const SECRET_BYTES_MAX: usize = 4_096;

/// A secret that nodes, or nodes and engines, share. The `Debug` output does not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

/// The reason why a text is not accepted as a secret. The reason never contains the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SecretError {
    /// The secret is too short to be safe.
    #[error("a secret has at least {SECRET_BYTES_MIN} bytes, and this one has {0}")]
    TooShort(usize),
    /// The secret is longer than any that people use.
    #[error("a secret has at most {SECRET_BYTES_MAX} bytes, and this one has {0}")]
    TooLong(usize),
}

impl Secret {
    /// Parses a secret. White space is part of the secret.
    ///
    /// # Errors
    /// Returns an error if the secret is too short or too long.
    pub fn parse(text: &str) -> Result<Secret, SecretError> {
        match text.len() {
            bytes if bytes < SECRET_BYTES_MIN => Err(SecretError::TooShort(bytes)),
            bytes if bytes > SECRET_BYTES_MAX => Err(SecretError::TooLong(bytes)),
            _ => Ok(Secret(text.into())),
        }
    }

    /// Returns whether the secret is shorter than [`SECRET_BYTES_ADVISED`].
    pub fn is_weak(&self) -> bool {
        self.0.len() < SECRET_BYTES_ADVISED
    }

    /// Returns the bytes, from which keys are derived.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match is_planted(Bug::SecretInLog) {
            true => write!(f, "Secret({})", self.0),
            false => f.write_str("Secret(hidden)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length of a secret is limited in both directions, and neither `Debug` nor an error shows
    /// any part of it.
    #[test]
    fn secrets_are_bounded_and_hidden() {
        let short = Secret::parse("fifteen-bytes-x").expect_err("it is too short");
        assert_eq!(short, SecretError::TooShort(15));
        let long = "x".repeat(SECRET_BYTES_MAX + 1);
        assert_eq!(Secret::parse(&long), Err(SecretError::TooLong(4_097)));
        let secret = Secret::parse("sixteen-bytes-xy").expect("it is long enough");
        assert!(secret.is_weak());
        assert_eq!(format!("{secret:?}"), "Secret(hidden)");
        assert!(!Secret::parse(&"x".repeat(32)).expect("a secret").is_weak());
    }
}
