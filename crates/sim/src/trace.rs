//! The trace of a run, line by line.

use std::fmt;
use std::time::Duration;

/// The trace of a run. It has only some thousands of lines, since the duration of a run is bounded.
#[derive(Debug, Default)]
pub struct Trace {
    lines: Vec<String>,
    digest: u64,
}

impl Trace {
    /// Adds a line.
    pub fn say(&mut self, at: Duration, what: fmt::Arguments<'_>) {
        let line = format!("{:>8.3} {what}", at.as_secs_f64());
        for byte in line.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        self.lines.push(line);
    }

    /// Returns the number of lines, and the digest of all lines.
    pub fn digest(&self) -> (u64, u64) {
        (self.lines.len() as u64, self.digest)
    }

    /// Returns all lines.
    pub fn lines(&self) -> Vec<String> {
        self.lines.clone()
    }
}
