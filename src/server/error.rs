//! Failures that end the server, and the exit code of its process.

use crate::config::exit_code;
use crate::config::inventory_source::InventoryError;
use crate::raft;
use crate::storage::OpenError;
use std::error::Error;
use std::io;

/// A failure to start or to continue that has its own exit code.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServerError {
    /// The server cannot listen on the port.
    #[error("{key}={port}: cannot listen on {at}")]
    Port {
        /// The key of the configuration with the port.
        key: &'static str,
        port: u16,
        /// The address: `node.bind-ip=ADDRESS` if that is set, else `all addresses`.
        at: String,
        source: io::Error,
    },
    /// The file of the access log cannot be opened.
    #[error("http-server.log.path={path}: cannot be opened")]
    AccessLog { path: String, source: io::Error },
    /// The inventory does not match this node.
    #[error("{0}")]
    Inventory(String),
}

/// Returns the exit code of a process that ends with an error of the server or of a data directory.
pub fn exit_code_of(error: &anyhow::Error) -> u8 {
    let mut causes = error.chain();
    causes.find_map(known_code).unwrap_or(exit_code::INTERNAL)
}

fn known_code(cause: &(dyn Error + 'static)) -> Option<u8> {
    if let Some(error) = cause.downcast_ref::<ServerError>() {
        return Some(match error {
            ServerError::Port { .. } => exit_code::PORT,
            ServerError::AccessLog { source, .. } => exit_code::of_data_error(source),
            ServerError::Inventory(_) => exit_code::INVENTORY,
        });
    }
    if let Some(error) = cause.downcast_ref::<raft::RaftError>() {
        return Some(match error {
            raft::RaftError::Identity(_) => exit_code::IDENTITY,
            raft::RaftError::Diverged(_) => exit_code::DIVERGED,
            raft::RaftError::Storage(_) => exit_code::DISK_FAILED,
            raft::RaftError::Settings(_) => exit_code::CONFIG,
        });
    }
    if let Some(error) = cause.downcast_ref::<OpenError>() {
        return Some(match error {
            OpenError::InUse { .. } => exit_code::DATA_IN_USE,
            OpenError::NotWritable { source, .. } => exit_code::of_data_error(source),
            OpenError::Corrupt { .. } | OpenError::Newer { .. } => exit_code::DATA_CORRUPT,
        });
    }
    let error = cause.downcast_ref::<InventoryError>()?;
    Some(match error {
        InventoryError::Unreachable { .. } => exit_code::INVENTORY_UNREACHABLE,
        InventoryError::File { .. } | InventoryError::Bad(_) => exit_code::INVENTORY,
    })
}
