//! The report of a run.

use std::fmt;

/// The result of a run, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SimReport {
    numbers: [u64; NAMES.len()],
}

const NAMES: [&str; 18] = [
    "seed",
    "hosts",
    "ms",
    "faults",
    "emptied",
    "leaders",
    "entries",
    "expired",
    "written",
    "refused",
    "unknown",
    "served",
    "unserved",
    "contended",
    "installed",
    "torn",
    "lines",
    "digest",
];

impl SimReport {
    /// Creates the report of these numbers, in the order of their names.
    pub fn of(numbers: [u64; NAMES.len()]) -> SimReport {
        SimReport { numbers }
    }

    /// Returns a number by its name.
    ///
    /// - The run: `seed`, `hosts`, `ms` of simulated time.
    /// - Faults: `faults`, of which `emptied` erased a disk; `torn`, the power cuts during an
    ///   operation of a disk.
    /// - The cluster: `leaders`, committed `entries`, `expired` nodes, snapshots `installed` from
    ///   other nodes.
    /// - Writes: `written`, `refused`, `unknown`; `contended`, those that began while another write
    ///   of their node id was in progress.
    /// - Lookups: `served`, `unserved`.
    /// - The trace: `lines`, `digest`.
    pub fn number(&self, name: &str) -> u64 {
        let at = NAMES.iter().position(|known| *known == name);
        at.map_or(0, |at| self.numbers[at])
    }

    /// Parses the output of [`fmt::Display`].
    pub fn parse(line: &str) -> Option<SimReport> {
        let mut report = SimReport::default();
        let mut words = line.split_whitespace();
        for (name, number) in NAMES.iter().zip(&mut report.numbers) {
            let (found, value) = words.next()?.split_once('=')?;
            if found != *name {
                return None;
            }
            *number = value.parse().ok()?;
        }
        Some(report)
    }
}

impl fmt::Display for SimReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = NAMES.iter().zip(&self.numbers);
        let words: Vec<String> = words
            .map(|(name, number)| format!("{name}={number}"))
            .collect();
        f.write_str(&words.join(" "))
    }
}
