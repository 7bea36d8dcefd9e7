//! A running cluster of three nodes, of any kind of server.

use super::process::Process;
use crate::measure::tasks::Name;
use std::path::PathBuf;

/// A running cluster of one kind of server. Its processes are killed when it is dropped.
pub struct Cluster {
    pub(super) name: Name,
    pub(super) processes: Vec<Process>,
    /// The URLs of the nodes, in the format of the load generator.
    pub(super) servers: Vec<String>,
    pub(super) follower: String,
    pub(super) load: PathBuf,
}

impl Cluster {
    /// Returns the process ids of all nodes.
    pub fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::id).collect()
    }

    /// Returns whether all processes of the cluster are still running.
    pub fn runs(&mut self) -> bool {
        let mut processes = self.processes.iter_mut();
        processes.all(|process| process.check_running().is_ok())
    }
}
