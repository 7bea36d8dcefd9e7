//! The source of the inventory: `service-inventory.uri`.

mod content_encoding;

use super::file::read_up_to;
use super::http_client::{http_client, innermost_cause};
use crate::model::{BadInventory, INVENTORY_BYTES_MAX, Inventory};
use content_encoding::{Coding, inflate};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING};
use reqwest::{Certificate, Url};
use rustls::pki_types::CertificateDer;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Timeout of a whole fetch over HTTP. A start must not hang because a server is silent.
const FETCH_TIME_LIMIT: Duration = Duration::from_secs(5);

/// The reason why there is no inventory.
#[derive(Debug, Error)]
pub enum InventoryError {
    /// The file cannot be read.
    #[error("{uri}: cannot be read: {error}")]
    File {
        /// The URI of the inventory.
        uri: String,
        /// The operating system's error.
        error: io::Error,
    },
    /// The server did not return the inventory, but may do so later.
    #[error("{uri}: cannot be fetched: {reason}")]
    Unreachable {
        /// The URI of the inventory.
        uri: String,
        /// The reason.
        reason: String,
    },
    /// The inventory was read, and is invalid.
    #[error(transparent)]
    Bad(#[from] BadInventory),
}

/// Fetches the inventory from a URI that [`super::load`] returned: from a file, or over HTTP within
/// 5 s. HTTPS servers are trusted by the authorities of the system and by `authorities`.
///
/// # Errors
/// Fails when the inventory cannot be read, or is invalid.
pub async fn fetch(
    uri: &str,
    authorities: &[CertificateDer<'static>],
) -> Result<Inventory, InventoryError> {
    let bytes = match uri.strip_prefix("file:") {
        Some(path) => read_file(path).map_err(|error| InventoryError::File {
            uri: uri.to_owned(),
            error,
        })?,
        None => get(uri, authorities)
            .await
            .map_err(|reason| InventoryError::Unreachable {
                uri: uri.to_owned(),
                reason,
            })?,
    };
    Ok(Inventory::parse(&bytes, uri)?)
}

/// Reads a file up to one byte beyond [`INVENTORY_BYTES_MAX`], so that the parser can detect that
/// the file is too large.
fn read_file(encoded: &str) -> io::Result<Vec<u8>> {
    let path = percent_decode_str(encoded)
        .decode_utf8()
        .map_err(io::Error::other)?;
    let bytes = read_up_to(Path::new(path.as_ref()), INVENTORY_BYTES_MAX as u64)?;
    inflate(bytes, &[]).map_err(io::Error::other)
}

/// Fetches the inventory over HTTP.
async fn get(uri: &str, authorities: &[CertificateDer<'static>]) -> Result<Vec<u8>, String> {
    let certificates = authorities.iter().map(|der| Certificate::from_der(der));
    let client = certificates
        .collect::<Result<Vec<_>, _>>()
        .and_then(|certificates| http_client(FETCH_TIME_LIMIT, certificates))
        .map_err(|error| innermost_cause(&error))?;
    let mut answer = client
        .get(uri)
        .header(ACCEPT, "application/json")
        .header(ACCEPT_ENCODING, "identity")
        .send()
        .await
        .map_err(|error| innermost_cause(&error))?;
    if !answer.status().is_success() {
        return Err(format!("the server answered {}", answer.status()));
    }
    // Some servers compress the body regardless of the request.
    let codings = Coding::of_headers(answer.headers().get_all(CONTENT_ENCODING))?;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer
        .chunk()
        .await
        .map_err(|error| innermost_cause(&error))?
    {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > INVENTORY_BYTES_MAX {
            break;
        }
    }
    inflate(bytes, &codings)
}

/// Normalizes the URI to `file:` with an absolute path, or to `http:` or `https:` with a host.
///
/// # Errors
/// Fails for any other URI.
pub(super) fn normalize(
    text: &str,
    in_data_dir: impl Fn(&str) -> PathBuf,
) -> Result<String, String> {
    let wrong = |what: &str| Err(format!("'{}' {what}", super::values::shown(text)));
    let Some((scheme, rest)) = text.split_once(':') else {
        return wrong(
            "must have a http, https, or file scheme, \
             for example file:///path/service-inventory.json",
        );
    };
    match scheme.to_ascii_lowercase().as_str() {
        "file" => {
            let path = match rest.strip_prefix("//") {
                Some(rest) => rest.strip_prefix("localhost").unwrap_or(rest),
                None => rest,
            };
            if path.is_empty() || (rest.starts_with("//") && !path.starts_with('/')) {
                return wrong(
                    "must name a file on this machine, \
                     for example file:///path/service-inventory.json",
                );
            }
            let Ok(decoded) = percent_decode_str(path).decode_utf8() else {
                return wrong("is not UTF-8");
            };
            Ok(file_uri(&in_data_dir(&decoded)))
        }
        "http" | "https" => match Url::parse(text) {
            Ok(url) if url.has_host() => Ok(url.to_string()),
            Ok(_) => wrong("has no host"),
            Err(error) => wrong(&format!("is not a URI: {error}")),
        },
        _ => wrong("must have a http, https, or file scheme"),
    }
}

fn file_uri(path: &Path) -> String {
    const KEPT: AsciiSet = NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    format!(
        "file:{}",
        utf8_percent_encode(&path.to_string_lossy(), &KEPT)
    )
}

#[cfg(test)]
mod tests;
