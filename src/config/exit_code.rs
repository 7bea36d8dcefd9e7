//! The exit codes of the binary, in one place.
//!
//! 0 to 4 are airlift's launcher's. A supervisor restarts the process after a failure, but for [`NEEDS_PERSON`].

use std::io;

/// Done, or stopped by SIGTERM.
pub const OK: u8 = 0;
/// A failure inside: restart.
pub const INTERNAL: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 2;
/// `status`: not running (the LSB's code, as airlift's launcher).
pub const NOT_RUNNING: u8 = 3;
/// `start`, `stop`, `restart`, `kill`, `status` failed (the LSB's code for "unknown", as airlift's launcher).
pub const LAUNCHER: u8 = 4;
/// The configuration is wrong or cannot be read.
pub const CONFIG: u8 = 10;
/// The inventory is wrong, or does not name this node.
pub const INVENTORY: u8 = 11;
/// The address cannot be listened on, for example since the port is in use.
pub const PORT: u8 = 12;
/// The data directory is in use by another process.
pub const DATA_IN_USE: u8 = 13;
/// The data directory holds something that cannot be trusted: damaged, or of a version not known.
pub const DATA_CORRUPT: u8 = 14;
/// The data directory belongs to another node or cluster, or this node was replaced.
pub const IDENTITY: u8 = 15;
/// The data directory cannot be created, read or written.
pub const DATA_UNUSABLE: u8 = 16;
/// A write or a sync failed while running, or there is no space on the disk.
pub const DISK_FAILED: u8 = 17;
/// This node's state differs from the other members'.
pub const DIVERGED: u8 = 18;
/// `cluster --wait-ready`: not every server was ready in time; `cluster`: no server answered; `coordinator`, `services`:
/// no server could say in time.
pub const NOT_READY: u8 = 19;
/// The inventory cannot be fetched and this node is in no group yet.
pub const INVENTORY_UNREACHABLE: u8 = 20;

/// After these a restart changes nothing until a person has: `etc/quorate.service` lists them.
pub const NEEDS_PERSON: [u8; 7] = [
    USAGE,
    CONFIG,
    INVENTORY,
    DATA_CORRUPT,
    IDENTITY,
    DATA_UNUSABLE,
    DIVERGED,
];

/// The code of a process that cannot use its data directory: one without space is started again until there is some.
pub fn of_data_error(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DISK_FAILED,
        _ => DATA_UNUSABLE,
    }
}
