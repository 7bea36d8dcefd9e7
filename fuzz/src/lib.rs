//! Fuzz targets: one function for every entry point that accepts bytes from outside. Each function
//! takes any bytes and must return.
//!
//! A target panics if the product breaks a guarantee. The product must not panic, must not answer
//! with a 5xx, and must be able to output accepted data again.
//!
//! `cargo test` replays the corpora in `corpus/`, together with mutations of their inputs.
//! `scripts/fuzz` continues from the corpora with coverage guidance.

#![deny(clippy::self_named_module_files)]

mod applied;
mod changed;
mod proofs;
pub mod shapes;
mod wire;

pub use changed::Changer;
use quorate::config::{parse_java, parse_launcher};
use quorate::model::{Announcement, Inventory, StaticService};
use quorate::registry::Registry;
use quorate::security::{HttpsSettings, KeyStore, StorePasswords};

/// A fuzz target.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name of the target, and of the folder with its corpus.
    pub name: &'static str,
    /// The function to fuzz, which accepts any bytes.
    pub run: fn(&[u8]),
    /// Maximum memory that does not depend on the input's size, such as for tables, error texts and
    /// the state of a compressor.
    pub memory_base_bytes: usize,
    /// Maximum memory per byte of input: the highest need observed for any shape of input, rounded
    /// up. The largest input is a body or a file of 1 MB. Inputs with one map entry for every few
    /// bytes need the most.
    pub memory_per_byte: usize,
}

const fn target(name: &'static str, run: fn(&[u8]), memory: (usize, usize)) -> Target {
    Target {
        name,
        run,
        memory_base_bytes: memory.0,
        memory_per_byte: memory.1,
    }
}

/// Maximum memory for parsing a small body: base and bytes per byte of input. For a large body,
/// `tests/shapes.rs` checks that parsing takes at most twice the size of the body, plus a constant.
const BODY: (usize, usize) = (4 << 10, 4);

/// All targets.
pub const TARGETS: [Target; 16] = [
    target("announcement", announcement, BODY),
    // The memory is for the registry with its indexes, events and lookups, and for a copy of it.
    target("applied", applied::applied, (1 << 20, 256)),
    target("static_announcement", static_announcement, BODY),
    target("inventory", inventory, (4 << 10, 64)),
    target("properties", properties, (4 << 10, 128)),
    target("request", wire::request, (1 << 20, 64)),
    target("peer_message", peer_message, (4 << 10, 144)),
    target("log_record", log_record, (4 << 10, 144)),
    // The memory is for the frame, which the target encodes again in blocks of 4 KiB.
    target("log_frame", log_frame, (12 << 10, 16)),
    target("snapshot", snapshot, (4 << 10, 64)),
    target("key_store", key_store, (64 << 10, 64)),
    target("engine_token", proofs::engine_token, (4 << 10, 4)),
    target("access_tokens", proofs::access_tokens, (4 << 10, 16)),
    target("secrets", proofs::secrets, (4 << 10, 16)),
    target("certificate", proofs::certificate, (4 << 10, 16)),
    target("first_bytes", first_bytes, (96 << 10, 64)),
];

/// Parses an announcement.
fn announcement(body: &[u8]) {
    if let Ok(announcement) = Announcement::from_json("node", body, "test") {
        announcement.digest();
    }
}

/// Parses a static announcement.
fn static_announcement(body: &[u8]) {
    let _ = StaticService::from_json("id", body, "test");
}

/// Parses a service inventory.
fn inventory(file: &[u8]) {
    if let Ok(inventory) = Inventory::parse(file, "inventory") {
        inventory.digest();
        for entry in &inventory.entries {
            inventory.own(&entry.node_id).expect("it is listed once");
            let _ = entry.port();
        }
    }
}

/// Parses a properties file, in Java's format and in the launcher's.
fn properties(file: &[u8]) {
    let text = String::from_utf8_lossy(file);
    parse_java(&text);
    parse_launcher(&text);
}

/// Decodes a message of a peer.
fn peer_message(frame: &[u8]) {
    quorate::raft::fuzzing::peer_message(frame);
}

/// Decodes the content of a log record.
fn log_record(content: &[u8]) {
    quorate::raft::fuzzing::log_record(content);
}

/// Decodes a frame of the write-ahead log, and encodes it again.
fn log_frame(body: &[u8]) {
    if let Some(written) = quorate::raft::fuzzing::log_frame(body) {
        // Only the records are compared: the committed log id before them may be encoded in fewer
        // bytes.
        assert_eq!(
            records_of(&written),
            records_of(body),
            "what was read is written as it was"
        );
    }
}

/// Returns the records of a frame. A frame consists of the length of the committed log id, the
/// committed log id, and the records.
fn records_of(frame: &[u8]) -> Option<&[u8]> {
    let (length, rest) = frame.split_first_chunk()?;
    rest.get(u32::from_le_bytes(*length) as usize..)
}

/// Decodes a snapshot, and encodes it again.
fn snapshot(bytes: &[u8]) {
    if let Ok(registry) = Registry::from_snapshot(bytes) {
        assert_eq!(
            registry.image().to_bytes(),
            bytes,
            "the same state gives the same bytes"
        );
    }
}

/// Reads the first bytes of a connection.
fn first_bytes(bytes: &[u8]) {
    quorate::http::fuzzing::first_bytes(bytes);
}

/// Reads a keystore, and builds the settings of the HTTPS listener of its keys. Its passwords are
/// those of the corpus.
fn key_store(file: &[u8]) {
    // A store of the corpus takes up to 600, and no input may take long.
    const ITERATIONS_MAX: u64 = 1_000;
    for store in [Some("store-password"), None] {
        let passwords = StorePasswords { store, key: None };
        if let Ok(store) = KeyStore::read_within(file, &passwords, ITERATIONS_MAX) {
            let settings = HttpsSettings {
                key_store: &store,
                trust_store: Some(&store),
                included_ciphers: "",
                excluded_ciphers: "",
                session_timeout_s: 0,
            };
            // Most keys do not fit their certificates after a mutation.
            let _ = settings.server_config();
        }
    }
}
