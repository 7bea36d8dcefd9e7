//! Starts the baseline: three axum servers that do not communicate with each other.

use super::cluster::Cluster;
use super::process::{Process, free_ports};
use super::programs::{NODES, Programs, START_LIMIT, https_urls, urls};
use super::request::wait_serving;
use crate::measure::tasks::Name;
use std::ffi::OsString;
use std::path::Path;
use tokio::process::Command;

/// Three running servers of the baseline. Their processes are killed on drop.
pub struct Baselines {
    pub processes: Vec<Process>,
    /// The URLs of the servers, in the format of the load generator.
    pub servers: Vec<String>,
}

/// Starts three servers that serve the loads over HTTP and over HTTPS. `key_store` is the file with
/// the key and the certificate. Returns the cluster, and the URLs for HTTPS.
///
/// # Errors
/// Fails if a server does not serve in time.
pub async fn start_with_https(
    programs: &Programs,
    dir: &Path,
    key_store: &Path,
) -> anyhow::Result<(Cluster, Vec<String>)> {
    let https_ports = free_ports(NODES)?;
    let options = |index: usize| {
        let port: &u16 = &https_ports[index];
        vec![
            "--https-port".into(),
            port.to_string().into(),
            "--key-store".into(),
            key_store.into(),
        ]
    };
    let started = Baselines::start_each(&programs.itself, dir, options).await?;
    Ok((started.into_cluster(programs), https_urls(&https_ports)))
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
        let options = |_| match services {
            Some(services) => vec!["--services".into(), services.to_string().into()],
            None => Vec::new(),
        };
        Baselines::start_each(itself, dir, options).await
    }

    /// Starts three servers, each with the options for its index.
    async fn start_each(
        itself: &Path,
        dir: &Path,
        options: impl Fn(usize) -> Vec<OsString>,
    ) -> anyhow::Result<Baselines> {
        let ports = free_ports(NODES)?;
        let mut processes = Vec::new();
        for (index, port) in ports.iter().enumerate() {
            let mut command = Command::new(itself);
            command.args(["limit", "--port", &port.to_string()]);
            command.args(options(index));
            processes.push(Process::start(&mut command, &dir.join(port.to_string()))?);
        }
        wait_serving(&ports, START_LIMIT, &mut processes).await?;
        Ok(Baselines {
            processes,
            servers: urls(&ports),
        })
    }

    fn into_cluster(self, programs: &Programs) -> Cluster {
        Cluster {
            name: Name::Baseline,
            follower: self.servers[1].clone(),
            processes: self.processes,
            servers: self.servers,
            load: programs.load.clone(),
        }
    }
}

/// Starts the baseline for a run. A lookup of a load's type finds the number of services that the
/// load announces.
pub async fn start(programs: &Programs, dir: &Path) -> anyhow::Result<Cluster> {
    let started = Baselines::start(&programs.itself, dir, None).await?;
    Ok(started.into_cluster(programs))
}
