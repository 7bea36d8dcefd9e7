//! The HTTP client that fetches an inventory, and that commands use to query servers.

use reqwest::{Certificate, Client, ClientBuilder};
use std::time::Duration;

/// Creates a client for single requests, which trusts these authorities besides those of the
/// system.
///
/// # Errors
/// Fails when the system's certificates cannot be read.
pub(super) fn http_client(
    time_limit: Duration,
    authorities: Vec<Certificate>,
) -> reqwest::Result<Client> {
    let builder = http_client_builder().timeout(time_limit);
    match authorities.is_empty() {
        true => builder.build(),
        false => builder.tls_certs_merge(authorities).build(),
    }
}

/// Returns the builder for every HTTP client. It sets no timeout.
pub fn http_client_builder() -> ClientBuilder {
    // This fails if a cryptography provider is already installed, which is fine.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    // Ignore the proxies that environment variables set, as airlift's client does.
    Client::builder().no_proxy()
}

/// Returns the text of an error's innermost cause, which is the most informative one.
pub fn innermost_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
