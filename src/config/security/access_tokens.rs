//! The tokens of people and tools, in the file of `cluster.tokens-file`.

use super::private_file::{PrivateFileError, read_private_text, warn_of_readers};
use crate::config::paths::Paths;
use crate::config::sources::Sources;
use crate::security::{AccessTokens, AccessTokensError};
use std::path::{Path, PathBuf};

/// The configuration key of the file with tokens.
pub(super) const TOKENS_FILE: &str = "cluster.tokens-file";

/// The tokens that the file had at the start, and the file, from which they are read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokensFile {
    /// The tokens.
    pub tokens: AccessTokens,
    /// The file.
    pub path: PathBuf,
}

/// The reason why a file with tokens cannot be used. The reason never contains a token.
#[derive(Debug, thiserror::Error)]
pub enum TokensFileError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The text of the file is not a list of tokens.
    #[error("{0}")]
    List(#[from] AccessTokensError),
}

/// Reads a file with one token a line.
///
/// # Errors
/// When the file cannot be read, or is not a list of tokens.
pub fn read_tokens(path: &Path) -> Result<AccessTokens, TokensFileError> {
    Ok(AccessTokens::parse(&read_private_text(path)?)?)
}

/// Reads the file that the configuration names.
pub(super) fn tokens_file(sources: &mut Sources, paths: &Paths) -> Option<TokensFile> {
    let path = sources.read(TOKENS_FILE, None, |text| Ok(Some(paths.in_data_dir(text))))?;
    match read_tokens(&path) {
        Ok(tokens) => {
            warn_of_readers(sources, &path, "the digests of the tokens");
            Some(TokensFile { tokens, path })
        }
        Err(error) => {
            sources.invalid(TOKENS_FILE, &format!("{} {error}", path.display()));
            None
        }
    }
}
