//! quorate, from an etc/ directory.

use super::cluster::Cluster;
use super::process::{Process, free_ports};
use super::programs::{NODES, Programs, START_LIMIT, urls};
use super::request::{get, wait_serving};
use crate::etc;
use crate::measure::tasks::Name;
use serde::Deserialize;
use std::path::Path;
use tokio::process::Command;

/// What is looked at of `/v1/cluster/status`.
#[derive(Deserialize)]
struct Status {
    role: String,
    term: u64,
}

/// Starts one node of an etc/ directory.
///
/// # Errors
/// When it cannot be started.
pub fn start_node(program: &Path, node: &Path) -> anyhow::Result<Process> {
    let mut command = Command::new(program);
    command.arg("run").arg("--etc-dir").arg(node.join("etc"));
    Process::start(&mut command, node)
}

/// The role of the node on a port, as it says itself: `leader`, or another.
///
/// # Errors
/// When it does not answer.
pub async fn role(port: u16) -> anyhow::Result<String> {
    Ok(status(port).await?.role)
}

/// The raft term of the node on a port.
///
/// # Errors
/// As for [`role`].
pub async fn term(port: u16) -> anyhow::Result<u64> {
    Ok(status(port).await?.term)
}

async fn status(port: u16) -> anyhow::Result<Status> {
    Ok(serde_json::from_str(
        &get(port, "/v1/cluster/status").await?,
    )?)
}

pub async fn start(programs: &Programs, dir: &Path) -> anyhow::Result<Cluster> {
    let ports = free_ports(NODES)?;
    let mut processes = Vec::new();
    for node in etc::write(dir, &ports)? {
        processes.push(start_node(&programs.quorate, &node)?);
    }
    wait_serving(&ports, START_LIMIT, &mut processes).await?;
    let servers = urls(&ports);
    Ok(Cluster {
        name: Name::Quorate,
        follower: follower(&servers).await?,
        processes,
        servers,
        load: programs.load.clone(),
    })
}

/// One that does not lead.
///
/// # Errors
/// When one does not answer.
pub async fn follower(servers: &[String]) -> anyhow::Result<String> {
    for server in servers {
        let port = server.rsplit(':').next().unwrap_or_default().parse()?;
        if role(port).await? != "leader" {
            return Ok(server.clone());
        }
    }
    anyhow::bail!("no node follows")
}
