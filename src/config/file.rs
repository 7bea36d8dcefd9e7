//! Reader of one configuration file.

use super::error::{ConfigError, ConfigErrors, SourceLocation};
use super::properties::BadLine;
use crate::model::without_byte_order_mark;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Maximum size of a file. A configuration has a few kB, but a wrong path may name a huge file or a
/// device.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Returns the file's text, or `None` if the file is absent and need not exist.
///
/// # Errors
/// Returns an error with the operating system's reason.
pub(super) fn read_text(path: &Path, must_exist: bool) -> Result<Option<String>, ConfigErrors> {
    match read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound && !must_exist => Ok(None),
        Err(error) => Err(ConfigErrors::one(
            SourceLocation::file(path),
            format!("cannot be read: {error}"),
        )),
    }
}

/// Reads a file up to one byte beyond a limit, so that the caller can detect that the file is too
/// large.
pub(super) fn read_up_to(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(bytes_max + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read(path: &Path) -> io::Result<String> {
    let bytes = read_up_to(path, CONFIG_BYTES_MAX)?;
    if bytes.len() as u64 > CONFIG_BYTES_MAX {
        return Err(io::Error::other(format!(
            "it is larger than {CONFIG_BYTES_MAX} bytes"
        )));
    }
    let bytes = without_byte_order_mark(&bytes)
        .map_err(|encoding| io::Error::other(format!("it is {encoding}: save it as UTF-8")))?
        .to_vec();
    // A file that is not UTF-8 is read as Latin-1, because Java reads properties as Latin-1.
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| {
        error
            .as_bytes()
            .iter()
            .map(|byte| char::from(*byte))
            .collect()
    }))
}

/// Returns the errors of lines that cannot be read.
pub(super) fn bad_lines(path: &Path, lines: &[BadLine]) -> ConfigErrors {
    let error = |bad: &BadLine| ConfigError {
        location: SourceLocation::new(path.display().to_string(), bad.line),
        message: bad.what.clone(),
    };
    ConfigErrors(lines.iter().map(error).collect())
}
