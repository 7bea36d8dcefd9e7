//! A cluster of three quorate nodes. Each node can be killed, stopped and restarted.

use crate::etc;
use crate::peers::process::{Process, free_ports};
use crate::peers::quorate::{role, start_node, term};
use crate::peers::request::{get, wait_serving};
use crate::peers::{NODES, START_LIMIT, urls};
use anyhow::{Context, bail};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Interval between two checks of whether a node has reached a state.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// The way in which a process is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By SIGKILL.
    Killed,
    /// By SIGTERM, upon which a leader first hands over its leadership.
    Stopped,
}

/// A running cluster of three quorate nodes. Its processes are killed when it is dropped.
pub struct Nodes {
    program: PathBuf,
    ports: Vec<u16>,
    dirs: Vec<PathBuf>,
    processes: Vec<Process>,
}

impl Nodes {
    /// Starts a cluster, and returns when every node serves.
    ///
    /// # Errors
    /// Fails if a node does not serve in time.
    pub async fn start(program: &Path, dir: &Path) -> anyhow::Result<Nodes> {
        Nodes::start_with(program, dir, "").await
    }

    /// Starts a cluster with further lines in the config.properties of each node, and returns when
    /// every node serves.
    ///
    /// # Errors
    /// Fails if a node does not serve in time.
    pub async fn start_with(program: &Path, dir: &Path, settings: &str) -> anyhow::Result<Nodes> {
        let ports = free_ports(NODES)?;
        let mut nodes = Nodes {
            program: program.to_owned(),
            dirs: etc::write(dir, &ports)?,
            ports,
            processes: Vec::new(),
        };
        for node in &nodes.dirs {
            etc::add_settings(node, settings)?;
        }
        nodes.start_all()?;
        wait_serving(&nodes.ports, START_LIMIT, &mut nodes.processes).await?;
        Ok(nodes)
    }

    /// Waits until a node reports that it is the leader, and returns its index.
    ///
    /// # Errors
    /// Fails if no node becomes the leader within [`START_LIMIT`].
    pub async fn leader(&self) -> anyhow::Result<usize> {
        let found = async {
            loop {
                for (node, port) in self.ports.iter().enumerate() {
                    if role(*port).await.is_ok_and(|role| role == "leader") {
                        return node;
                    }
                }
                tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            }
        };
        let found = tokio::time::timeout(START_LIMIT, found).await;
        found.context("no node is the leader")
    }

    /// Returns the highest term of all nodes. The term grows with each election, so the difference
    /// between two results is the number of elections between them.
    ///
    /// # Errors
    /// Fails if a node does not respond.
    pub async fn term(&self) -> anyhow::Result<u64> {
        let mut highest = 0;
        for port in &self.ports {
            highest = highest.max(term(*port).await?);
        }
        Ok(highest)
    }

    /// Returns the number of nodes.
    pub fn count(&self) -> usize {
        self.ports.len()
    }

    /// Returns the process ids of all nodes.
    pub fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::id).collect()
    }

    /// Waits until all processes have ended.
    ///
    /// # Errors
    /// Fails if a process does not end within [`START_LIMIT`].
    pub async fn all_ended(&mut self) -> anyhow::Result<()> {
        for process in &mut self.processes {
            let ended = tokio::time::timeout(START_LIMIT, process.ended()).await;
            ended.context("a node does not end")??;
        }
        Ok(())
    }

    /// Starts all nodes, and returns before they serve. No node may be running.
    ///
    /// # Errors
    /// Fails if a process cannot be started.
    pub fn start_all(&mut self) -> anyhow::Result<()> {
        let started = self.dirs.iter().map(|dir| start_node(&self.program, dir));
        self.processes = started.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(())
    }

    /// Returns the number of services of a type in a lookup on one node.
    ///
    /// # Errors
    /// Fails if the node does not respond.
    pub async fn shown(&self, node: usize, service_type: &str) -> anyhow::Result<u32> {
        let path = format!("/v1/service/{service_type}");
        let shown = get(self.ports[node], &path).await?;
        Ok(shown.matches("\"nodeId\"").count() as u32)
    }

    /// Waits until a lookup on every node shows this number of services of a type.
    pub async fn each_shows(&self, service_type: &str, services: u32) {
        for node in 0..self.count() {
            while self.shown(node, service_type).await.ok() != Some(services) {
                tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            }
        }
    }

    /// Returns the URLs of all nodes, in the format of `quorate bench --server`.
    pub fn servers(&self) -> String {
        urls(&self.ports).join(",")
    }

    /// Returns the end of a node's log.
    pub fn last_words(&self, node: usize) -> String {
        self.processes[node].last_words()
    }

    /// Returns the port of a node.
    pub fn port(&self, node: usize) -> u16 {
        self.ports[node]
    }

    /// Returns the ports of all nodes except one.
    pub fn ports_but(&self, node: usize) -> Vec<u16> {
        let others = self.ports.iter().enumerate().filter(|(i, _)| *i != node);
        others.map(|(_, port)| *port).collect()
    }

    /// Returns the disk space of the largest data directory among those of all nodes, in bytes.
    ///
    /// # Errors
    /// Fails if a data directory cannot be read.
    pub fn largest_data_bytes(&self) -> anyhow::Result<u64> {
        let mut largest = 0;
        for dir in &self.dirs {
            largest = largest.max(allocated_bytes(&dir.join("data"))?);
        }
        Ok(largest)
    }

    /// Kills or stops a node: sends the signal of `ending` to its process, and does not wait.
    ///
    /// # Errors
    /// Fails if the process has already ended.
    pub fn end(&mut self, node: usize, ending: Ending) -> anyhow::Result<()> {
        match ending {
            Ending::Killed => self.processes[node].kill(),
            Ending::Stopped => self.processes[node].terminate(),
        }
    }

    /// Starts a node again after [`Nodes::end`], and returns when all nodes are ready.
    ///
    /// # Errors
    /// Fails if the process does not end, or a node does not become ready.
    pub async fn restart(&mut self, node: usize) -> anyhow::Result<()> {
        let ended = tokio::time::timeout(START_LIMIT, self.processes[node].ended()).await;
        ended.context("the node does not end")??;
        self.processes[node] = start_node(&self.program, &self.dirs[node])?;
        let ready = async {
            for port in &self.ports {
                while get(*port, "/v1/cluster/ready").await.is_err() {
                    tokio::time::sleep(LOOK_AGAIN_AFTER).await;
                }
            }
        };
        if tokio::time::timeout(START_LIMIT, ready).await.is_err() {
            bail!("not all nodes became ready again");
        }
        Ok(())
    }
}

/// Returns the disk space that the files of a directory occupy.
fn allocated_bytes(dir: &Path) -> anyhow::Result<u64> {
    /// The unit of `st_blocks` (stat(2)). It is always 512 bytes, whatever the file system's block
    /// size.
    const BLOCK_BYTES: u64 = 512;
    let mut bytes = 0;
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += match metadata.is_dir() {
            true => allocated_bytes(&entry.path())?,
            false => metadata.blocks() * BLOCK_BYTES,
        };
    }
    Ok(bytes)
}
