//! Files with a value of JSON a line.

use serde::de::DeserializeOwned;
use std::io::{self, BufRead};

/// Why a line is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The file ends in an error.
    #[error("line {line}: {source}")]
    Io {
        /// Counted from 1.
        line: usize,
        /// What the system says.
        source: io::Error,
    },
    /// It is no such value.
    #[error("line {line}: {source}")]
    Json {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Each value with its line, counted from 1.
pub(crate) fn values<T: DeserializeOwned>(
    from: impl BufRead,
) -> impl Iterator<Item = Result<(usize, T), LineError>> {
    (1..).zip(from.lines()).map(|(line, text)| {
        let text = text.map_err(|source| LineError::Io { line, source })?;
        let value =
            serde_json::from_str(&text).map_err(|source| LineError::Json { line, source })?;
        Ok((line, value))
    })
}
