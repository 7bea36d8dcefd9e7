//! The limit, as three servers that know nothing of each other.

use super::cluster::Cluster;
use super::process::{Process, free_ports};
use super::programs::{NODES, Programs, START_LIMIT, urls};
use super::request::wait_serving;
use crate::measure::tasks::Name;
use std::path::Path;
use tokio::process::Command;

/// Three servers, which end with this.
pub struct Limits {
    pub processes: Vec<Process>,
    /// URLs, as the load takes them.
    pub servers: Vec<String>,
}

impl Limits {
    /// With an answer to every lookup of so many services, or the answers to all loads. Returns once each serves.
    ///
    /// # Errors
    /// When one does not.
    pub async fn start(itself: &Path, dir: &Path, services: Option<u32>) -> anyhow::Result<Limits> {
        let ports = free_ports(NODES)?;
        let mut processes = Vec::new();
        for port in &ports {
            let mut command = Command::new(itself);
            command.args(["limit", "--port", &port.to_string()]);
            if let Some(services) = services {
                command.args(["--services", &services.to_string()]);
            }
            processes.push(Process::start(&mut command, &dir.join(port.to_string()))?);
        }
        wait_serving(&ports, START_LIMIT, &mut processes).await?;
        Ok(Limits {
            processes,
            servers: urls(&ports),
        })
    }
}

pub async fn start(programs: &Programs, dir: &Path) -> anyhow::Result<Cluster> {
    let Limits { processes, servers } = Limits::start(&programs.itself, dir, None).await?;
    Ok(Cluster {
        name: Name::Limit,
        follower: servers[1].clone(),
        processes,
        servers,
        load: programs.load.clone(),
    })
}
