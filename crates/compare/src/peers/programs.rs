//! The paths of the programs of all servers that are measured.

use crate::measure::tasks::Name;
use anyhow::bail;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

/// Number of nodes of every cluster.
pub const NODES: usize = 3;
/// Timeout from the start of the processes until every node serves.
pub const START_LIMIT: Duration = Duration::from_secs(60);

/// The programs of all servers. If a server is not available, its field contains the reason.
#[derive(Debug)]
pub struct Programs {
    /// This program, which is also the server of the baseline.
    pub itself: PathBuf,
    /// The quorate binary that is measured.
    pub quorate: PathBuf,
    /// The quorate binary whose `bench` command puts the load on all servers except etcd. All
    /// compared builds get the load from the same binary. Otherwise a change of the load generator
    /// could be mistaken for a change of the server.
    pub load: PathBuf,
    /// airlift's discovery server.
    pub airlift: Result<Airlift, String>,
    /// etcd's server and its load generator.
    pub etcd: Result<Etcd, String>,
}

/// airlift's discovery server, unpacked, and the Java to run it on.
#[derive(Debug)]
pub struct Airlift {
    /// The directory that contains `lib`.
    pub dir: PathBuf,
    /// The directory that contains `bin/java`.
    pub java_home: PathBuf,
}

/// etcd's server and its load generator.
#[derive(Debug)]
pub struct Etcd {
    /// The program built from crates/compare/etcd, which contains etcd's server and the load
    /// generator.
    pub program: PathBuf,
    /// An etcd server to use instead of the one in `program`.
    pub server: Option<PathBuf>,
}

impl Programs {
    /// Returns the programs that compare quorate with itself and with the baseline. `load` puts the
    /// load on all of them.
    ///
    /// # Errors
    /// Fails if the path of this program is unknown.
    pub fn of_quorate(quorate: &Path, load: &Path) -> anyhow::Result<Programs> {
        Ok(Programs {
            itself: std::env::current_exe()?,
            quorate: quorate.to_owned(),
            load: load.to_owned(),
            airlift: Err("not compared".to_owned()),
            etcd: Err("not compared".to_owned()),
        })
    }

    /// Returns the reason why a server cannot be measured. Returns `None` if the server can be
    /// measured.
    pub fn missing(&self, name: Name) -> Option<&str> {
        match name {
            Name::Airlift => self.airlift.as_ref().err().map(String::as_str),
            Name::Etcd => self.etcd.as_ref().err().map(String::as_str),
            Name::Quorate | Name::Baseline => None,
        }
    }
}

/// Runs a program and returns its output.
pub(super) async fn output(command: &mut Command) -> anyhow::Result<String> {
    let ended = command.output().await?;
    if !ended.status.success() {
        bail!("{}", String::from_utf8_lossy(&ended.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned())
}

/// Returns the URLs of nodes on these ports of loopback.
pub fn urls(ports: &[u16]) -> Vec<String> {
    urls_of("http", ports)
}

/// Returns the URLs of nodes that speak HTTPS on these ports of loopback.
pub fn https_urls(ports: &[u16]) -> Vec<String> {
    urls_of("https", ports)
}

fn urls_of(scheme: &str, ports: &[u16]) -> Vec<String> {
    ports
        .iter()
        .map(|port| format!("{scheme}://127.0.0.1:{port}"))
        .collect()
}
