//! The shared secrets, each in the value of a key or in a file that another key names.

use super::private_file::{PrivateFileError, read_private_text, warn_of_readers};
use crate::config::paths::Paths;
use crate::config::sources::Sources;
use crate::security::{SECRET_BYTES_ADVISED, Secret, SecretList, SecretListError};
use std::path::{Path, PathBuf};

/// Secrets, and the file that they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedSecrets {
    /// The secrets.
    pub list: SecretList,
    /// The file from which the secrets are read again. `None` if the secret is in the
    /// configuration.
    pub file: Option<PathBuf>,
}

/// The reason why a file with shared secrets cannot be used. The reason never contains a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretsFileError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The text of the file is not a list of secrets.
    #[error("{0}")]
    List(#[from] SecretListError),
}

/// Reads a file with one secret a line.
///
/// # Errors
/// When the file cannot be read, or is not a list of secrets.
pub fn read_secrets(path: &Path) -> Result<SecretList, SecretsFileError> {
    Ok(SecretList::parse(&read_private_text(path)?)?)
}

/// Reads the secret in the value of `key`, or the secrets in the file that the `-file` key names.
pub(super) fn shared_secrets(
    sources: &mut Sources,
    paths: &Paths,
    key: &str,
) -> Option<SharedSecrets> {
    let file_key = format!("{key}-file");
    let secret = sources.read(key, None, |text| {
        Secret::parse(text)
            .map(Some)
            .map_err(|error| error.to_string())
    });
    let file = sources.read(&file_key, None, |text| Ok(Some(paths.in_data_dir(text))));
    if sources.text(key).is_some() && sources.text(&file_key).is_some() {
        sources.invalid(
            &file_key,
            &format!("cannot be set beside {key}: name one of them"),
        );
        return None;
    }
    let (named, secrets, readable) = match (secret, file) {
        (Some(secret), _) => {
            let readable = sources.file_of(key).map(PathBuf::from);
            let list = SecretList::one(secret);
            (key, SharedSecrets { list, file: None }, readable)
        }
        (None, Some(file)) => match read_secrets(&file) {
            Ok(list) => {
                let file = Some(file);
                let secrets = SharedSecrets {
                    list,
                    file: file.clone(),
                };
                (file_key.as_str(), secrets, file)
            }
            Err(error) => {
                sources.invalid(&file_key, &format!("{} {error}", file.display()));
                return None;
            }
        },
        (None, None) => return None,
    };
    if secrets.list.iter().any(Secret::is_weak) {
        sources.notices.push(format!(
            "{named}: a secret of fewer than {SECRET_BYTES_ADVISED} bytes may be guessed; \
             make one with `openssl rand -hex 32`"
        ));
    }
    if secrets.file.is_none() && readable.is_none() {
        sources.notices.push(format!(
            "{named}: every user of this machine can see the shared secret in the list of \
             processes; name a file with {file_key}"
        ));
    }
    if let Some(path) = readable {
        warn_of_readers(sources, &path, "the shared secret");
    }
    Some(secrets)
}
