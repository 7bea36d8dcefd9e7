//! Measures the system resources that nodes use.

use crate::support::Cluster;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// The maximum of each figure over all nodes that ran and served. It is measured at the end of
/// every burst.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Resources {
    pub resident_kb: u64,
    pub descriptors: u64,
    pub data_bytes: u64,
    /// The number of open descriptors of each node before any client connected.
    pub descriptors_before: Vec<u64>,
}

impl Resources {
    pub fn before(cluster: &Cluster) -> Resources {
        Resources {
            descriptors_before: cluster.nodes.iter().map(|n| descriptors(n.pid())).collect(),
            ..Resources::default()
        }
    }

    /// Measures all nodes and updates the maximum values.
    pub fn look(&mut self, cluster: &Cluster) {
        for node in &cluster.nodes {
            self.resident_kb = self.resident_kb.max(node.resident_kb());
            self.descriptors = self.descriptors.max(descriptors(node.pid()));
            self.data_bytes = self.data_bytes.max(size(&node.etc.data_dir()));
        }
    }
}

/// Returns the number of open descriptors of a process.
pub fn descriptors(pid: u32) -> u64 {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("a running process")
        .count() as u64
}

/// Returns the size of all files below a directory. Files that disappear during the scan count as
/// empty.
fn size(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
