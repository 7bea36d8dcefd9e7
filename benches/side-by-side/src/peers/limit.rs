//! The limit, as three servers that know nothing of each other.

use super::process::{Process, free_ports};
use super::request::wait_serving;
use super::{Cluster, NODES, Programs, START_LIMIT, urls};
use crate::tasks::Name;
use std::path::Path;
use tokio::process::Command;

pub async fn start(programs: &Programs, dir: &Path) -> anyhow::Result<Cluster> {
    let ports = free_ports(NODES)?;
    let mut processes = Vec::new();
    for port in &ports {
        let mut command = Command::new(&programs.itself);
        command.args(["limit", "--port", &port.to_string()]);
        processes.push(Process::start(&mut command, &dir.join(port.to_string()))?);
    }
    wait_serving(&ports, START_LIMIT, &mut processes).await?;
    let servers = urls(&ports);
    Ok(Cluster {
        name: Name::Limit,
        follower: servers[1].clone(),
        processes,
        servers,
        load: programs.quorate.clone(),
    })
}
