//! quorate, from an etc/ directory.

use super::process::{Process, free_ports};
use super::request::{get, wait_serving};
use super::{Cluster, NODES, Programs, START_LIMIT, urls};
use crate::etc;
use crate::tasks::Name;
use serde::Deserialize;
use std::path::Path;
use tokio::process::Command;

/// What is looked at of `/v1/cluster/status`.
#[derive(Deserialize)]
struct Status {
    role: String,
}

pub async fn start(programs: &Programs, dir: &Path) -> anyhow::Result<Cluster> {
    let ports = free_ports(NODES)?;
    let mut processes = Vec::new();
    for node in etc::write(dir, &ports)? {
        let mut command = Command::new(&programs.quorate);
        command.arg("run").arg("--etc-dir").arg(node.join("etc"));
        processes.push(Process::start(&mut command, &node)?);
    }
    wait_serving(&ports, START_LIMIT, &mut processes).await?;
    let servers = urls(&ports);
    let following = follower(&ports).await?;
    Ok(Cluster {
        name: Name::Quorate,
        follower: servers[following].clone(),
        processes,
        servers,
        load: programs.quorate.clone(),
    })
}

/// Which of them does not lead.
async fn follower(ports: &[u16]) -> anyhow::Result<usize> {
    for (i, port) in ports.iter().enumerate() {
        let status: Status = serde_json::from_str(&get(*port, "/v1/cluster/status").await?)?;
        if status.role != "leader" {
            return Ok(i);
        }
    }
    anyhow::bail!("no node follows")
}
