//! A running cluster of three nodes, of any kind of server.

use super::process::Process;
use crate::measure::tasks::Name;
use std::ffi::OsString;
use std::path::PathBuf;

/// The URLs to which a load generator sends its requests, and the options that it needs for them.
#[derive(Debug, Clone, Default)]
pub struct LoadTarget {
    /// The URLs of the nodes, in the format of the load generator.
    pub servers: Vec<String>,
    /// Further options of the load generator, with their values.
    pub options: Vec<OsString>,
}

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

    /// Returns the target of a load on all nodes that needs no options.
    pub fn plain_target(&self) -> LoadTarget {
        LoadTarget {
            servers: self.servers.clone(),
            options: Vec::new(),
        }
    }

    /// Returns whether all processes of the cluster are still running.
    pub fn runs(&mut self) -> bool {
        let mut processes = self.processes.iter_mut();
        processes.all(|process| process.check_running().is_ok())
    }
}
