//! Three nodes of quorate, of which one at a time ends and comes back.

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

/// Between two looks at a node.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// How a node ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// SIGKILL.
    Killed,
    /// SIGTERM: a leader hands over.
    Stopped,
}

/// A running cluster; it ends with this.
pub struct Nodes {
    program: PathBuf,
    ports: Vec<u16>,
    dirs: Vec<PathBuf>,
    processes: Vec<Process>,
}

impl Nodes {
    /// Returns once each serves.
    ///
    /// # Errors
    /// When one does not.
    pub async fn start(program: &Path, dir: &Path) -> anyhow::Result<Nodes> {
        let ports = free_ports(NODES)?;
        let mut nodes = Nodes {
            program: program.to_owned(),
            dirs: etc::write(dir, &ports)?,
            ports,
            processes: Vec::new(),
        };
        nodes.start_all()?;
        wait_serving(&nodes.ports, START_LIMIT, &mut nodes.processes).await?;
        Ok(nodes)
    }

    /// Which of them leads.
    ///
    /// # Errors
    /// When none does for long.
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
        found.context("nobody leads")
    }

    /// The highest term that any of them is in: it grows with each election.
    ///
    /// # Errors
    /// When one does not answer.
    pub async fn term(&self) -> anyhow::Result<u64> {
        let mut highest = 0;
        for port in &self.ports {
            highest = highest.max(term(*port).await?);
        }
        Ok(highest)
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.ports.len()
    }

    /// Their processes.
    pub fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::id).collect()
    }

    /// Waits until all have ended.
    ///
    /// # Errors
    /// When one does not.
    pub async fn all_ended(&mut self) -> anyhow::Result<()> {
        for process in &mut self.processes {
            let ended = tokio::time::timeout(START_LIMIT, process.ended()).await;
            ended.context("a node does not end")??;
        }
        Ok(())
    }

    /// Starts all, of which none runs.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn start_all(&mut self) -> anyhow::Result<()> {
        let started = self.dirs.iter().map(|dir| start_node(&self.program, dir));
        self.processes = started.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(())
    }

    /// How many services of a type a node shows.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn shown(&self, node: usize, service_type: &str) -> anyhow::Result<u32> {
        let path = format!("/v1/service/{service_type}");
        let shown = get(self.ports[node], &path).await?;
        Ok(shown.matches("\"nodeId\"").count() as u32)
    }

    /// Waits until each shows so many services of a type.
    pub async fn each_shows(&self, service_type: &str, services: u32) {
        for node in 0..self.count() {
            while self.shown(node, service_type).await.ok() != Some(services) {
                tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            }
        }
    }

    /// URLs, as `quorate bench` takes them.
    pub fn servers(&self) -> String {
        urls(&self.ports).join(",")
    }

    /// The end of one's log.
    pub fn last_words(&self, node: usize) -> String {
        self.processes[node].last_words()
    }

    /// The port of one.
    pub fn port(&self, node: usize) -> u16 {
        self.ports[node]
    }

    /// The ports of all but one.
    pub fn ports_but(&self, node: usize) -> Vec<u16> {
        let others = self.ports.iter().enumerate().filter(|(i, _)| *i != node);
        others.map(|(_, port)| *port).collect()
    }

    /// What the data of the largest takes on disk.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn largest_data_bytes(&self) -> anyhow::Result<u64> {
        let mut largest = 0;
        for dir in &self.dirs {
            largest = largest.max(allocated_bytes(&dir.join("data"))?);
        }
        Ok(largest)
    }

    /// Ends one, now.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn end(&mut self, node: usize, ending: Ending) -> anyhow::Result<()> {
        match ending {
            Ending::Killed => self.processes[node].kill(),
            Ending::Stopped => self.processes[node].terminate(),
        }
    }

    /// Starts one again that was ended, and returns once all are ready.
    ///
    /// # Errors
    /// When it has not ended, or one does not get ready.
    pub async fn restart(&mut self, node: usize) -> anyhow::Result<()> {
        let ended = tokio::time::timeout(START_LIMIT, self.processes[node].ended()).await;
        ended.context("it does not end")??;
        self.processes[node] = start_node(&self.program, &self.dirs[node])?;
        let ready = async {
            for port in &self.ports {
                while get(*port, "/v1/cluster/ready").await.is_err() {
                    tokio::time::sleep(LOOK_AGAIN_AFTER).await;
                }
            }
        };
        if tokio::time::timeout(START_LIMIT, ready).await.is_err() {
            bail!("not all nodes get ready again");
        }
        Ok(())
    }
}

/// What the files of a directory take.
fn allocated_bytes(dir: &Path) -> anyhow::Result<u64> {
    /// stat(2): whatever the file system's blocks are.
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
