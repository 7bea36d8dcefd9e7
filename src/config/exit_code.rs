//! The exit codes of the binary.
//!
//! Codes 0 to 4 are those of airlift's launcher. A supervisor restarts the process after a failure,
//! except for the codes in [`NEEDS_PERSON`].

use std::io;

/// Success, or a stop by SIGTERM.
pub const OK: u8 = 0;
/// Internal error, after which the process should be restarted.
pub const INTERNAL: u8 = 1;
/// The command line is invalid.
pub const USAGE: u8 = 2;
/// `status`: the server is not running (the LSB's code, as in airlift's launcher).
pub const NOT_RUNNING: u8 = 3;
/// `start`, `stop`, `restart`, `kill` or `status` failed (the LSB's code for "unknown", as in
/// airlift's launcher).
pub const LAUNCHER: u8 = 4;
/// The configuration is invalid or cannot be read.
pub const CONFIG: u8 = 10;
/// The inventory is invalid, or does not name this node.
pub const INVENTORY: u8 = 11;
/// The server cannot listen on its address, for example because the port is in use.
pub const PORT: u8 = 12;
/// The data directory is in use by another process.
pub const DATA_IN_USE: u8 = 13;
/// The data directory cannot be trusted: it is damaged, or of an unknown version.
pub const DATA_CORRUPT: u8 = 14;
/// The data directory belongs to another node or cluster, or this node was replaced.
pub const IDENTITY: u8 = 15;
/// The data directory cannot be created, read or written.
pub const DATA_UNUSABLE: u8 = 16;
/// A write or a sync failed while the server ran, or there is no space on the disk.
pub const DISK_FAILED: u8 = 17;
/// This node's state differs from that of the other members.
pub const DIVERGED: u8 = 18;
/// `cluster --wait-ready`: not every server was ready in time; `cluster`: no server answered;
/// `coordinator`, `services`: no server gave a result in time.
pub const NOT_READY: u8 = 19;
/// The inventory cannot be fetched and this node is in no group yet.
pub const INVENTORY_UNREACHABLE: u8 = 20;

/// Codes after which a restart does not help until a person has intervened. `etc/quorate.service`
/// lists them.
pub const NEEDS_PERSON: [u8; 7] = [
    USAGE,
    CONFIG,
    INVENTORY,
    DATA_CORRUPT,
    IDENTITY,
    DATA_UNUSABLE,
    DIVERGED,
];

/// Returns the exit code for a data directory that cannot be used. If the disk is full, the process
/// is restarted until there is space.
pub fn of_data_error(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DISK_FAILED,
        _ => DATA_UNUSABLE,
    }
}
