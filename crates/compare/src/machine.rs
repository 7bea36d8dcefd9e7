//! A description of the machine, to be written beside the results.

use serde::Serialize;
use std::fs;

/// The machine that a measurement ran on.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The model name of the processors.
    pub processor: String,
    /// The number of processors that this process may use.
    pub processors: usize,
    /// The size of the memory, in megabytes.
    pub memory_mb: u64,
    /// The kernel's release.
    pub kernel: String,
}

impl Machine {
    /// Describes this machine.
    pub fn this() -> Machine {
        let line = |file: &str, key: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(key));
            let value = line.and_then(|line| line.split_once(':'));
            value.map(|(_, value)| value.trim().to_owned())
        };
        let memory_kb = line("/proc/meminfo", "MemTotal")
            .and_then(|value| value.split(' ').next()?.parse::<u64>().ok());
        Machine {
            processor: line("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mb: memory_kb.unwrap_or(0) * 1_024 / 1_000_000,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned()),
        }
    }
}
