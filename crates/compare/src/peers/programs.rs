//! The programs that are measured.

use crate::measure::tasks::Name;
use anyhow::bail;
use std::path::PathBuf;
use std::time::Duration;
use tokio::process::Command;

/// Nodes of every cluster.
pub const NODES: usize = 3;
/// From the start of the processes until each serves.
pub const START_LIMIT: Duration = Duration::from_secs(60);

/// What is there to be measured; with the reason for what is not.
#[derive(Debug)]
pub struct Programs {
    /// This program, which is the limit too.
    pub itself: PathBuf,
    /// quorate.
    pub quorate: PathBuf,
    /// The quorate whose `bench` puts the load on all that speak HTTP. It is the same for all
    /// builds that are compared, so that a change of the load generator is not taken for one of the
    /// server.
    pub load: PathBuf,
    /// airlift's discovery server.
    pub airlift: Result<Airlift, String>,
    /// etcd's server and the load on it.
    pub etcd: Result<Etcd, String>,
}

/// airlift's discovery server, unpacked, and the Java to run it.
#[derive(Debug)]
pub struct Airlift {
    /// With `lib` in it.
    pub dir: PathBuf,
    /// With `bin/java` in it.
    pub java_home: PathBuf,
}

/// etcd.
#[derive(Debug)]
pub struct Etcd {
    /// crates/compare/etcd, built.
    pub program: PathBuf,
    /// Another server than the one that is built into it.
    pub server: Option<PathBuf>,
}

impl Programs {
    /// Why one of them is not measured.
    pub fn missing(&self, name: Name) -> Option<&str> {
        match name {
            Name::Airlift => self.airlift.as_ref().err().map(String::as_str),
            Name::Etcd => self.etcd.as_ref().err().map(String::as_str),
            Name::Quorate | Name::Limit => None,
        }
    }
}

/// What a program prints.
pub(super) async fn output(command: &mut Command) -> anyhow::Result<String> {
    let ended = command.output().await?;
    if !ended.status.success() {
        bail!("{}", String::from_utf8_lossy(&ended.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned())
}

/// Of nodes on loopback.
pub fn urls(ports: &[u16]) -> Vec<String> {
    ports
        .iter()
        .map(|port| format!("http://127.0.0.1:{port}"))
        .collect()
}
