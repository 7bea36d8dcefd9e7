//! A cluster that runs.

use super::process::Process;
use crate::measure::tasks::Name;
use std::path::PathBuf;

/// A cluster of one of them. Its processes end with it.
pub struct Cluster {
    pub(super) name: Name,
    pub(super) processes: Vec<Process>,
    /// URLs, as the load takes them.
    pub(super) servers: Vec<String>,
    pub(super) follower: String,
    pub(super) load: PathBuf,
}

impl Cluster {
    /// Its processes.
    pub fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::id).collect()
    }

    /// Whether none of its processes has ended.
    pub fn runs(&mut self) -> bool {
        let mut processes = self.processes.iter_mut();
        processes.all(|process| process.check_running().is_ok())
    }
}
