//! Starts etcd with its default settings.

use super::cluster::Cluster;
use super::process::{Process, free_ports};
use super::programs::{NODES, Programs, START_LIMIT, output, urls};
use crate::measure::tasks::Name;
use anyhow::{Context, anyhow};
use std::path::Path;
use tokio::process::Command;

/// Returns the version that the etcd server reports.
pub async fn version(programs: &Programs) -> anyhow::Result<String> {
    let etcd = programs.etcd.as_ref().map_err(|why| anyhow!("{why}"))?;
    match &etcd.server {
        Some(server) => output(Command::new(server).arg("--version")).await,
        None => output(Command::new(&etcd.program).arg("version")).await,
    }
}

/// Waits until every node serves, and returns the URL of a follower.
///
/// # Errors
/// Fails if a node does not serve in time.
pub async fn follower(program: &Path, servers: &[String]) -> anyhow::Result<String> {
    let mut asked = Command::new(program);
    asked.args(["follower", "--server", &servers.join(",")]);
    tokio::time::timeout(START_LIMIT, output(asked.kill_on_drop(true)))
        .await
        .context("not every node serves")?
}

/// Starts three members of etcd.
pub async fn start(programs: &Programs, dir: &Path) -> anyhow::Result<Cluster> {
    let etcd = programs.etcd.as_ref().map_err(|why| anyhow!("{why}"))?;
    let ports = free_ports(2 * NODES)?;
    let (client_ports, peer_ports) = ports.split_at(NODES);
    let (servers, peers) = (urls(client_ports), urls(peer_ports));
    let name = |i: usize| format!("node-{}", i + 1);
    let members: Vec<String> = peers
        .iter()
        .enumerate()
        .map(|(i, url)| format!("{}={url}", name(i)))
        .collect();
    let mut processes = Vec::new();
    for (i, (client, peer)) in servers.iter().zip(&peers).enumerate() {
        let node = dir.join(name(i));
        let mut command = match &etcd.server {
            Some(server) => Command::new(server),
            None => Command::new(&etcd.program),
        };
        if etcd.server.is_none() {
            command.arg("serve");
        }
        command
            .args(["--name", &name(i), "--log-level", "error"])
            .arg("--data-dir")
            .arg(node.join("data"))
            .args([
                "--listen-client-urls",
                client,
                "--advertise-client-urls",
                client,
            ])
            .args([
                "--listen-peer-urls",
                peer,
                "--initial-advertise-peer-urls",
                peer,
            ])
            .args([
                "--initial-cluster",
                &members.join(","),
                "--initial-cluster-state",
                "new",
            ]);
        processes.push(Process::start(&mut command, &node)?);
    }
    let follower = follower(&etcd.program, &servers).await;
    for process in &mut processes {
        process.check_running()?;
    }
    let follower = follower?;
    Ok(Cluster {
        name: Name::Etcd,
        processes,
        servers,
        follower,
        load: etcd.program.clone(),
    })
}
