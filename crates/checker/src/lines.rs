//! Files with one JSON value per line.

use serde::de::DeserializeOwned;
use std::io::{self, BufRead};

/// A reason why a line cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Reading the file failed.
    #[error("line {line}: {source}")]
    Io {
        /// The line number, counted from 1.
        line: usize,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The line is not a value of the expected type.
    #[error("line {line}: {source}")]
    Json {
        /// The line number, counted from 1.
        line: usize,
        /// The error of the JSON parser.
        source: serde_json::Error,
    },
}

/// Returns each value with its line number, counted from 1.
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
