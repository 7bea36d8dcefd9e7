//! The HTTP client that fetches an inventory, and that the commands ask servers with.

use reqwest::{Client, ClientBuilder};
use std::time::Duration;

/// A client for single requests: of a start, or of a command.
///
/// # Errors
/// When the system's certificates cannot be read.
pub fn http_client(time_limit: Duration) -> reqwest::Result<Client> {
    http_client_builder().timeout(time_limit).build()
}

/// The beginning of any client: it has no time limit yet.
pub fn http_client_builder() -> ClientBuilder {
    // Fails when it is installed already, which is as good.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    // A proxy of the environment would be a surprise: airlift's client takes none from there.
    Client::builder().no_proxy()
}

/// The innermost cause, which is the one that says something.
pub fn innermost_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
