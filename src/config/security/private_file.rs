//! Reader of a file with secrets, which only the user that runs quorate should be able to read.

use crate::config::file::read_up_to;
use crate::config::sources::Sources;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Maximum size of a file with secrets.
const PRIVATE_FILE_BYTES_MAX: u64 = 1 << 20;

/// The permission bits that let other users of the machine read or change a file.
const OTHERS: u32 = 0o077;

/// The reason why a file with secrets cannot be read. The reason never contains a secret.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// The operating system cannot read the file.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The path leads to a directory, a device or a pipe.
    #[error("is not a regular file")]
    NotRegular,
    /// The file is larger than any with secrets.
    #[error("is larger than {PRIVATE_FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// The file is not UTF-8.
    #[error("is not text in UTF-8")]
    NotText,
}

/// Reads a regular file.
///
/// # Errors
/// When the file cannot be read, or is too large.
pub(super) fn read_private(path: &Path) -> Result<Vec<u8>, PrivateFileError> {
    // Checked before the file is opened, because opening a pipe waits for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(PrivateFileError::NotRegular);
    }
    let bytes = read_up_to(path, PRIVATE_FILE_BYTES_MAX)?;
    if bytes.len() as u64 > PRIVATE_FILE_BYTES_MAX {
        return Err(PrivateFileError::TooLarge);
    }
    Ok(bytes)
}

/// Reads a regular file with text.
///
/// # Errors
/// When the file cannot be read, is too large, or is not UTF-8.
pub(super) fn read_private_text(path: &Path) -> Result<String, PrivateFileError> {
    String::from_utf8(read_private(path)?).map_err(|_| PrivateFileError::NotText)
}

/// Adds a notice if other users of the machine may read or change a file. `content` is the secret
/// part of the file, for example `the shared secret`.
pub(super) fn warn_of_readers(sources: &mut Sources, path: &Path, content: &str) {
    if fs::metadata(path).is_ok_and(|file| file.permissions().mode() & OTHERS != 0) {
        sources.notices.push(format!(
            "{}: other users of this machine may read {content} in it; `chmod 600` the file",
            path.display()
        ));
    }
}

/// Adds a notice if other users of the machine may read the value of a key: in its file, or in the
/// list of processes if it is a command-line option. `content` names the value, for example `the
/// shared secret`.
pub(super) fn warn_of_exposed_value(sources: &mut Sources, key: &str, content: &str) {
    if sources.text(key).is_none() {
        return;
    }
    match sources.file_of(key).map(PathBuf::from) {
        Some(path) => warn_of_readers(sources, &path, content),
        None => sources.notices.push(format!(
            "{key}: every user of this machine can see {content} in the list of processes"
        )),
    }
}
