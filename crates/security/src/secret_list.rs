//! A list of shared secrets, for their rotation.

use crate::secret::{Secret, SecretError};
use thiserror::Error;

/// Maximum number of secrets in a list. A rotation needs two.
pub const SECRETS_MAX: usize = 8;

/// The secrets that a node accepts; there is at least one. The node itself shows the first secret
/// to others.
///
/// A rotation takes four lists, with one restart or reload of all nodes for each list: `old`, then
/// `old, new`, then `new, old`, then `new`. At each step, every node accepts the secret that the
/// other nodes show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretList {
    first: Secret,
    others: Vec<Secret>,
}

/// The reason why the text of a file is not a list of secrets. The reason never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SecretListError {
    /// The file has no line with a secret.
    #[error("it contains no secret")]
    Empty,
    /// The file has more than [`SECRETS_MAX`] secrets.
    #[error("it contains more than {SECRETS_MAX} secrets")]
    TooMany,
    /// A line is not a secret.
    #[error("line {line}: {source}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// The problem with the line.
        source: SecretError,
    },
}

impl SecretList {
    /// Creates a list of one secret.
    pub fn one(secret: Secret) -> SecretList {
        SecretList {
            first: secret,
            others: Vec::new(),
        }
    }

    /// Parses the text of a file with one secret per line. Ignores blanks around a secret, empty
    /// lines and a byte order mark.
    ///
    /// # Errors
    /// Returns an error if there is no secret, if there are too many, or if a line is not a secret.
    pub fn parse(text: &str) -> Result<SecretList, SecretListError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut secrets = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            if secrets.len() == SECRETS_MAX {
                return Err(SecretListError::TooMany);
            }
            let secret = Secret::parse(text);
            secrets.push(secret.map_err(|source| SecretListError::Line { line, source })?);
        }
        let mut secrets = secrets.into_iter();
        Ok(SecretList {
            first: secrets.next().ok_or(SecretListError::Empty)?,
            others: secrets.collect(),
        })
    }

    /// Returns the secret to show to others.
    pub fn first(&self) -> &Secret {
        &self.first
    }

    /// Returns all secrets, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "an-old-secret-of-32-bytes-or-more";
    const NEW: &str = "a-new-secret-of-32-bytes-or-more!";

    /// Secrets are read in the order of their lines, without blanks, empty lines and a byte order
    /// mark. Everything else in a line is part of the secret.
    #[test]
    fn files_are_lists() {
        let list = SecretList::parse(&format!("\u{feff}\n  {NEW} \r\n\n#{OLD}")).expect("a list");
        let secrets: Vec<_> = list.iter().cloned().collect();
        let secret = |text: &str| Secret::parse(text).expect("a secret");
        assert_eq!(secrets, [secret(NEW), secret(&format!("#{OLD}"))]);
        assert_eq!(list.first(), &secret(NEW));
    }

    /// A bad file is refused. The error for a bad line names the number of the line, not its text.
    #[test]
    fn bad_files() {
        assert_eq!(SecretList::parse(" \n\n"), Err(SecretListError::Empty));
        let error = SecretList::parse(&format!("{NEW}\nhunter2")).expect_err("it is too short");
        assert_eq!(
            error.to_string(),
            "line 2: a secret has at least 16 bytes, and this one has 7"
        );
        let many = format!("{NEW}\n").repeat(SECRETS_MAX + 1);
        assert_eq!(SecretList::parse(&many), Err(SecretListError::TooMany));
    }
}
