//! Puts the parts together.

use crate::config::Settings;
use thiserror::Error;

/// Why the server did not start, or did not go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct StartError {
    /// One line for the operator.
    pub message: String,
    /// One of [`crate::config::exit_code`].
    pub exit_code: u8,
}

/// Runs the server until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start or cannot go on.
pub fn run(settings: Settings) -> Result<(), StartError> {
    let internal = |error: std::io::Error| StartError {
        message: error.to_string(),
        exit_code: crate::config::exit_code::INTERNAL,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(internal)?;
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminated = signal(SignalKind::terminate()).map_err(internal)?;
        let address = (
            settings.bind_ip.unwrap_or([0, 0, 0, 0].into()),
            settings.http_port,
        );
        let _listener = tokio::net::TcpListener::bind(address)
            .await
            .map_err(|error| StartError {
                message: format!("http-server.http.port={}: {error}", settings.http_port),
                exit_code: crate::config::exit_code::PORT,
            })?;
        tracing::info!("started");
        tokio::select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok(())
    })
}
