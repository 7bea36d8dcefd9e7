//! Starts quorate from etc/ directories, and reads its cluster status.

use super::cluster::Cluster;
use super::process::{Process, free_ports};
use super::programs::{NODES, Programs, START_LIMIT, urls};
use super::request::{get, wait_serving};
use crate::etc;
use crate::measure::tasks::Name;
use serde::Deserialize;
use std::path::Path;
use tokio::process::Command;

/// The fields of `/v1/cluster/status` that this benchmark reads.
#[derive(Deserialize)]
struct QuorateStatus {
    role: String,
    term: u64,
}

/// Starts one node from its etc/ directory.
///
/// # Errors
/// Fails if the process cannot be started.
pub fn start_node(program: &Path, node: &Path) -> anyhow::Result<Process> {
    let mut command = Command::new(program);
    command.arg("run").arg("--etc-dir").arg(node.join("etc"));
    Process::start(&mut command, node)
}

/// Returns the role that the node on a port reports, for example `leader`.
///
/// # Errors
/// Fails if the node does not respond.
pub async fn role(port: u16) -> anyhow::Result<String> {
    Ok(status(port).await?.role)
}

/// Returns the Raft term of the node on a port.
///
/// # Errors
/// Fails if the node does not respond.
pub async fn term(port: u16) -> anyhow::Result<u64> {
    Ok(status(port).await?.term)
}

/// Requests `/v1/cluster/status` of the node on a port.
async fn status(port: u16) -> anyhow::Result<QuorateStatus> {
    Ok(serde_json::from_str(
        &get(port, "/v1/cluster/status").await?,
    )?)
}

/// Starts three nodes of quorate.
pub async fn start(programs: &Programs, dir: &Path) -> anyhow::Result<Cluster> {
    start_with(programs, dir, |_| String::new()).await
}

/// Starts three nodes of quorate. `settings` returns further lines for the config.properties of a
/// node, by its index.
///
/// # Errors
/// Fails if a node does not serve in time.
pub async fn start_with(
    programs: &Programs,
    dir: &Path,
    settings: impl Fn(usize) -> String,
) -> anyhow::Result<Cluster> {
    let ports = free_ports(NODES)?;
    let mut processes = Vec::new();
    for (index, node) in etc::write(dir, &ports)?.into_iter().enumerate() {
        etc::add_settings(&node, &settings(index))?;
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

/// Returns the URL of a node that is not the leader.
///
/// # Errors
/// Fails if a node does not respond, or there is no follower.
pub async fn follower(servers: &[String]) -> anyhow::Result<String> {
    for server in servers {
        let port = server.rsplit(':').next().unwrap_or_default().parse()?;
        if role(port).await? != "leader" {
            return Ok(server.clone());
        }
    }
    anyhow::bail!("no node is a follower")
}
