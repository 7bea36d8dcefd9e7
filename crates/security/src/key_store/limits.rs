//! The limits of a store. Real stores stay far below them.

/// Maximum size of a file in bytes.
pub const STORE_BYTES_MAX: usize = 1 << 20;
/// Maximum number of certificates in a store.
pub const CERTIFICATES_MAX: usize = 1_000;
/// Maximum number of private keys in a store.
pub const KEYS_MAX: usize = 100;
/// Maximum number of certificates in the chain of a key.
pub const CHAIN_MAX: usize = 20;
/// Maximum size of the chain of a key in bytes. Clients limit the handshake message with the chain
/// (64 KiB in rustls, 32 KiB in the JDK).
pub const CHAIN_BYTES_MAX: usize = 64 << 10;
/// Maximum number of iterations with which one key is derived from a password. It is the limit of
/// the JDK and of Bouncy Castle too.
pub const ITERATIONS_MAX: u64 = 5_000_000;
/// Maximum number of iterations for all keys that a store needs. They take about 10 s (2026-11-30).
pub const ITERATIONS_TOTAL_MAX: u64 = 20_000_000;
