//! Starts the baseline: three axum servers that do not communicate with each other.

use super::cluster::Cluster;
use super::process::{Process, free_ports};
use super::programs::{NODES, Programs, START_LIMIT, urls};
use super::request::wait_serving;
use crate::measure::tasks::Name;
use std::path::Path;
use tokio::process::Command;

/// Three running servers of the baseline. Their processes are killed on drop.
pub struct Baselines {
    pub processes: Vec<Process>,
    /// The URLs of the servers, in the format of the load generator.
    pub servers: Vec<String>,
}

impl Baselines {
    /// Starts three servers, and returns when each of them serves. If `services` is given, the
    /// servers respond to every lookup with that number of services. Otherwise they respond with
    /// the services of the load whose type is looked up.
    ///
    /// # Errors
    /// Fails if a server does not serve in time.
    pub async fn start(
        itself: &Path,
        dir: &Path,
        services: Option<u32>,
    ) -> anyhow::Result<Baselines> {
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
        Ok(Baselines {
            processes,
            servers: urls(&ports),
        })
    }
}

/// Starts the baseline for a run. A lookup of a load's type finds the number of services that the
/// load announces.
pub async fn start(programs: &Programs, dir: &Path) -> anyhow::Result<Cluster> {
    let Baselines { processes, servers } = Baselines::start(&programs.itself, dir, None).await?;
    Ok(Cluster {
        name: Name::Baseline,
        follower: servers[1].clone(),
        processes,
        servers,
        load: programs.load.clone(),
    })
}
