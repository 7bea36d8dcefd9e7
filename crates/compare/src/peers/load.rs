//! Puts a load on a cluster, and measures.

use super::cluster::Cluster;
use super::{etcd, quorate};
use crate::measure::figures::{Figures, Measured, Slice};
use crate::measure::load;
use crate::measure::quiesce::came_to_rest;
use crate::measure::tasks::{Asked, Name, Task, To};
use crate::measure::usage;
use anyhow::{Context, bail};
use std::time::Duration;
use tokio::process::Command;

/// Before each load is measured.
const WARM_UP: Duration = Duration::from_secs(1);
/// Before each slice: its connections are made in it.
const SLICE_WARM_UP: Duration = Duration::from_millis(200);
/// Of a warm-up. A JVM compiles what it has run often, and has little time for it beside two others on the same machine.
const ROUND: Duration = Duration::from_secs(1);
const JVM_ROUND: Duration = Duration::from_secs(5);
/// A JVM is warmed up with each kind of load until this many rounds together gain less than a twentieth on the best before them, or as many have been.
const JVM_ROUNDS_WITHOUT_GAIN: u32 = 3;
const JVM_ROUNDS: u32 = 12;

/// The least that a service takes in an answer; quorate's takes 280.
const SERVICE_BYTES_MIN: u64 = 150;

impl Cluster {
    /// Puts a load on it, and measures, with other processes at rest beside it.
    ///
    /// # Errors
    /// When the load does not end, prints no figures, or nothing was served, and when a node has died.
    pub async fn measure(
        &mut self,
        task: &Task,
        repeat: u32,
        duration: Duration,
        others: &[u32],
    ) -> anyhow::Result<Measured> {
        if task.to == To::Follower {
            self.look_for_follower().await?;
        }
        let others_at_rest = came_to_rest(|| usage::processor_s(others)).await;
        let others_before_s = usage::processor_s(others);
        let of_type = format!("{}-{repeat}", task.name);
        let (figures, processor_s) = self.checked_load(task, &of_type, WARM_UP, duration).await?;
        Ok(Measured {
            figures,
            processor_s,
            others_s: usage::processor_s(others) - others_before_s,
            others_at_rest,
            memory_mb: usage::peak_memory_mb(&self.pids()),
        })
    }

    /// Puts one short load on it, and does not wait until others are at rest.
    ///
    /// # Errors
    /// As for [`Cluster::measure`].
    pub async fn measure_slice(
        &mut self,
        task: &Task,
        slice: u32,
        duration: Duration,
    ) -> anyhow::Result<Slice> {
        if task.to == To::Follower {
            self.look_for_follower().await?;
        }
        let of_type = format!("{}-{slice}", task.name);
        let (figures, processor_s) = self
            .checked_load(task, &of_type, SLICE_WARM_UP, duration)
            .await?;
        Ok(Slice {
            figures,
            processor_s,
        })
    }

    /// Runs a load, and checks that it was served whole. Returns its figures, and the processor
    /// time of all nodes in seconds.
    async fn checked_load(
        &mut self,
        task: &Task,
        of_type: &str,
        warm_up: Duration,
        duration: Duration,
    ) -> anyhow::Result<(Figures, f64)> {
        let pids = self.pids();
        let before_s = usage::processor_s(&pids);
        let figures = self.load(task, of_type, warm_up, duration).await?;
        let processor_s = usage::processor_s(&pids) - before_s;
        if figures.served == 0 {
            bail!("nothing was served: {:?}", figures.errors);
        }
        if task.asked == Asked::Lookup && figures.bytes_per_answer < answer_bytes_min(task) {
            bail!(
                "an answer has {} bytes only: not all services are in it",
                figures.bytes_per_answer
            );
        }
        for process in &mut self.processes {
            process.check_running()?;
        }
        Ok((figures, processor_s))
    }

    /// Asks again who does not lead: that may have changed since the last load.
    async fn look_for_follower(&mut self) -> anyhow::Result<()> {
        self.follower = match self.name {
            Name::Quorate => quorate::follower(&self.servers).await?,
            Name::Etcd => etcd::follower(&self.load, &self.servers).await?,
            Name::Airlift | Name::Limit => return Ok(()),
        };
        Ok(())
    }

    /// Puts each kind of load on it for a while, so that nothing is measured that is only so at first.
    ///
    /// # Errors
    /// As for [`Cluster::measure`].
    pub async fn warm_up(&self) -> anyhow::Result<()> {
        let (rounds, lasts) = match self.name {
            Name::Airlift => (JVM_ROUNDS, JVM_ROUND),
            _ => (1, ROUND),
        };
        for asked in [Asked::Lookup, Asked::Change] {
            let task = Task {
                asked,
                ..crate::measure::tasks::WARM
            };
            let (mut best, mut without_gain) = (0.0, 0);
            for round in 1..=rounds {
                let of_type = format!("warm-{asked:?}-{round}");
                let figures = self.load(&task, &of_type, WARM_UP, lasts).await?;
                if figures.rate_per_second > 1.05 * best {
                    (best, without_gain) = (figures.rate_per_second, 0);
                    continue;
                }
                without_gain += 1;
                if without_gain == JVM_ROUNDS_WITHOUT_GAIN {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Each load has a service type of its own: a server that replicates late shows the last one's for a while.
    async fn load(
        &self,
        task: &Task,
        of_type: &str,
        warm_up: Duration,
        duration: Duration,
    ) -> anyhow::Result<Figures> {
        let servers = match task.to {
            To::All => self.servers.join(","),
            To::Follower => self.follower.clone(),
        };
        let asked = match task.asked {
            Asked::Lookup => "lookup",
            Asked::Change => "change",
            Asked::Renew => "renew",
        };
        let mut command = Command::new(&self.load);
        command
            .args(["bench", asked, "--json", "--server", &servers])
            .args(["--clients", &task.clients.to_string()])
            .args(["--nodes", &task.nodes.to_string()])
            .args(["--of-type", of_type])
            .args(["--warm-up", &format!("{}ms", warm_up.as_millis())])
            .args(["--duration", &format!("{}ms", duration.as_millis())]);
        if let Some(rate) = task.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        load::figures(&mut command, warm_up + duration)
            .await
            .with_context(|| of_type.to_owned())
    }
}

/// Of all services of a task, however they are written.
fn answer_bytes_min(task: &Task) -> u64 {
    u64::from(task.nodes) * SERVICE_BYTES_MIN
}
