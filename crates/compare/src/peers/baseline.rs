//! Starts the limit: three servers that do not communicate with each other.

use super::cluster::Cluster;
use super::process::{Process, free_ports};
use super::programs::{NODES, Programs, START_LIMIT, urls};
use super::request::wait_serving;
use crate::measure::tasks::Name;
use std::path::Path;
use tokio::process::Command;

/// Three running servers. Their processes are killed when this is dropped.
pub struct Limits {
    pub processes: Vec<Process>,
    /// The URLs of the servers, in the format of the load generator.
    pub servers: Vec<String>,
}

impl Limits {
    /// Starts the servers, and returns when each serves. They respond to every lookup with this
    /// number of services, or without `services` to each load with its own.
    ///
    /// # Errors
    /// Fails if a server does not serve in time.
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
