//! The HTTP client that fetches an inventory, and with which the commands query servers.

use reqwest::{Client, ClientBuilder};
use std::time::Duration;

/// Creates a client for single requests, at start or in a command.
///
/// # Errors
/// Fails when the system's certificates cannot be read.
pub fn http_client(time_limit: Duration) -> reqwest::Result<Client> {
    http_client_builder().timeout(time_limit).build()
}

/// Returns the builder of any client, which has no timeout yet.
pub fn http_client_builder() -> ClientBuilder {
    // This fails if a provider is already installed, which is fine.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    // A proxy from the environment would be a surprise: airlift's client uses none from there.
    Client::builder().no_proxy()
}

/// Returns the innermost cause, which is the informative one.
pub fn innermost_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
