//! The tokens of people and tools (`cluster.tokens-file`).
//!
//! A token is 256 random bits. The file has only the SHA-256 digest of each token, so a copy of the
//! file does not let anyone in. A slow digest, as for passwords, is not needed, because a token
//! cannot be guessed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use thiserror::Error;

/// Maximum number of tokens in a file.
pub const ACCESS_TOKENS_MAX: usize = 1_000;

/// Maximum length of the name of a token in bytes.
pub const TOKEN_NAME_BYTES_MAX: usize = 64;

/// The prefix of every token, by which a tool that searches for leaked credentials recognizes one.
const TOKEN_PREFIX: &str = "quorate_";

/// The prefix of a digest in the file.
const DIGEST_PREFIX: &str = "sha256:";

/// The length of a SHA-256 digest in bytes.
const DIGEST_BYTES: usize = 32;

/// The rights of a token. Each role has the rights of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenRole {
    /// The right to look services up and to read the state of the cluster.
    Read,
    /// The right to announce and withdraw any node, and to add and remove static announcements.
    Write,
    /// The right to change the cluster itself, such as its members.
    Admin,
}

/// The owner of a token, as its line in the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenOwner {
    /// The name of the person or the tool.
    pub name: Arc<str>,
    /// The rights of the token.
    pub role: TokenRole,
}

/// The tokens that a node accepts. The list has only their digests.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct AccessTokens {
    owners: HashMap<[u8; DIGEST_BYTES], TokenOwner>,
}

/// The reason why a text is not a list of tokens. The reason never contains a token or a digest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AccessTokensError {
    /// The file has more than [`ACCESS_TOKENS_MAX`] lines with tokens.
    #[error("it contains more than {ACCESS_TOKENS_MAX} tokens")]
    TooMany,
    /// A line is not a token's.
    #[error("line {line}: {source}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// The problem with the line.
        source: TokenLineError,
    },
}

/// The reason why a line of the file is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenLineError {
    /// The line does not have three words.
    #[error("expected NAME ROLE sha256:DIGEST, as `quorate token` prints it")]
    Words,
    /// The first word cannot be a name.
    #[error(transparent)]
    Name(#[from] TokenNameError),
    /// The second word is not a role.
    #[error(transparent)]
    Role(#[from] TokenRoleError),
    /// The third word is not a digest.
    #[error("the digest is not sha256: with 64 hexadecimal digits")]
    Digest,
    /// An earlier line has the same name or the same digest.
    #[error("the same name or digest is in line {0} too")]
    Twice(usize),
}

/// The reason why a text cannot be the name of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a name has 1 to {TOKEN_NAME_BYTES_MAX} letters, digits, dots, hyphens and underscores")]
pub struct TokenNameError;

/// The reason why a text is not a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the role is none of read, write and admin")]
pub struct TokenRoleError;

impl AccessTokens {
    /// Parses the text of a file with one token per line. Ignores empty lines, lines that begin
    /// with `#`, and a byte order mark. A file without a token is valid and lets nobody in.
    ///
    /// # Errors
    /// Returns an error that names the first bad line.
    pub fn parse(text: &str) -> Result<AccessTokens, AccessTokensError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut owners = HashMap::new();
        let mut lines_of_names = HashMap::new();
        let mut lines_of_digests = HashMap::new();
        for (line, text) in (1..).zip(text.lines().map(str::trim)) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            if owners.len() == ACCESS_TOKENS_MAX {
                return Err(AccessTokensError::TooMany);
            }
            let bad = |source| AccessTokensError::Line { line, source };
            let (digest, owner) = parse_line(text).map_err(bad)?;
            let before = lines_of_names
                .insert(owner.name.clone(), line)
                .or(lines_of_digests.insert(digest, line));
            if let Some(before) = before {
                return Err(bad(TokenLineError::Twice(before)));
            }
            owners.insert(digest, owner);
        }
        Ok(AccessTokens { owners })
    }

    /// Returns the owner of a token, or `None` if the token is not in the list. The time of this
    /// call tells nothing about the tokens, because only digests are compared.
    pub fn owner(&self, token: &str) -> Option<&TokenOwner> {
        self.owners.get(&digest_of(token))
    }

    /// Returns the number of tokens.
    pub fn count(&self) -> usize {
        self.owners.len()
    }
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessTokens({} accepted)", self.owners.len())
    }
}

impl TokenRole {
    /// Returns the name of the role, as in the file.
    pub fn name(self) -> &'static str {
        match self {
            TokenRole::Read => "read",
            TokenRole::Write => "write",
            TokenRole::Admin => "admin",
        }
    }
}

impl FromStr for TokenRole {
    type Err = TokenRoleError;

    fn from_str(text: &str) -> Result<TokenRole, TokenRoleError> {
        match text {
            "read" => Ok(TokenRole::Read),
            "write" => Ok(TokenRole::Write),
            "admin" => Ok(TokenRole::Admin),
            _ => Err(TokenRoleError),
        }
    }
}

/// Returns the token with these random bits.
pub fn token_of(random: [u8; 32]) -> String {
    format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(random))
}

/// Returns the line for the file that accepts this token.
///
/// # Errors
/// Returns an error if the name cannot be in the file.
pub fn token_line(name: &str, role: TokenRole, token: &str) -> Result<String, TokenNameError> {
    check_name(name)?;
    let hex: String = digest_of(token)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(format!("{name} {} {DIGEST_PREFIX}{hex}", role.name()))
}

fn digest_of(token: &str) -> [u8; DIGEST_BYTES] {
    let mut bytes = [0; DIGEST_BYTES];
    bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    bytes
}

fn parse_line(text: &str) -> Result<([u8; DIGEST_BYTES], TokenOwner), TokenLineError> {
    let mut words = text.split_ascii_whitespace();
    let (Some(name), Some(role), Some(digest), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(TokenLineError::Words);
    };
    check_name(name)?;
    let role = role.parse()?;
    let digest = digest
        .strip_prefix(DIGEST_PREFIX)
        .and_then(parse_hex)
        .ok_or(TokenLineError::Digest)?;
    let name = name.into();
    Ok((digest, TokenOwner { name, role }))
}

fn check_name(name: &str) -> Result<(), TokenNameError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = (1..=TOKEN_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_allowed);
    if is_name { Ok(()) } else { Err(TokenNameError) }
}

fn parse_hex(text: &str) -> Option<[u8; DIGEST_BYTES]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let mut bytes = [0; DIGEST_BYTES];
    if text.len() != 2 * DIGEST_BYTES {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
