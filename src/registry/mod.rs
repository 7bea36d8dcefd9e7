//! The pure state machine: commands in, outcomes out. No clock, no randomness, no I/O.

mod command;

pub use command::{Batch, Command, Outcome};

/// A lookup's bytes.
#[derive(Debug)]
pub struct Rendered {
    /// The JSON body.
    pub json: bytes::Bytes,
}
