//! Starts airlift's discovery server from the same etc/ directories as quorate.

use super::cluster::Cluster;
use super::process::{Process, free_ports};
use super::programs::{NODES, Programs, START_LIMIT, urls};
use super::request::wait_serving;
use crate::etc;
use crate::measure::tasks::Name;
use anyhow::anyhow;
use std::path::Path;
use tokio::process::Command;

/// The name and version of the server, which is the artifact io.airlift.discovery:discovery-server.
pub const VERSION: &str = "airlift discovery-server 1.34";
const MAIN_CLASS: &str = "io.airlift.discovery.server.DiscoveryServer";

/// Starts three nodes of airlift's discovery server.
pub async fn start(programs: &Programs, dir: &Path) -> anyhow::Result<Cluster> {
    let airlift = programs.airlift.as_ref().map_err(|why| anyhow!("{why}"))?;
    let ports = free_ports(NODES)?;
    let mut processes = Vec::new();
    for (node, port) in etc::write(dir, &ports)?.into_iter().zip(&ports) {
        let etc = node.join("etc");
        let mut command = Command::new(airlift.java_home.join("bin/java"));
        command
            .args(["-server", "-Xmx1G"])
            // airlift's old versions of Guice and LevelDB access internals of the JDK.
            .args(["--add-opens=java.base/java.lang=ALL-UNNAMED"])
            .args(["--add-opens=java.base/java.nio=ALL-UNNAMED"])
            .arg(format!(
                "-Dconfig={}",
                etc.join("config.properties").display()
            ))
            .arg(format!(
                "-Dlog.levels-file={}",
                etc.join("log.properties").display()
            ))
            .arg(format!("-Dnode.environment={}", etc::ENVIRONMENT))
            .arg(format!(
                "-Dnode.id={}",
                node.file_name().unwrap_or_default().display()
            ))
            // The URI of the discovery server to which the node announces itself. It is the node's
            // own URI, as in a production cluster.
            .arg(format!("-Ddiscovery.uri=http://127.0.0.1:{port}"))
            .arg("-cp")
            .arg(airlift.dir.join("lib/*"))
            .arg(MAIN_CLASS);
        processes.push(Process::start(&mut command, &node.join("data"))?);
    }
    wait_serving(&ports, START_LIMIT, &mut processes).await?;
    let servers = urls(&ports);
    Ok(Cluster {
        name: Name::Airlift,
        // airlift has no leader, so any node can serve as the follower.
        follower: servers[1].clone(),
        processes,
        servers,
        load: programs.load.clone(),
    })
}
