//! Warms up a cluster, puts a load on it, and measures its figures.

use super::cluster::{Cluster, LoadTarget};
use super::{etcd, quorate};
use crate::measure::figures::{Figures, Measured, Slice};
use crate::measure::load;
use crate::measure::processor_samples::ProcessorSamples;
use crate::measure::quiesce::came_to_rest;
use crate::measure::tasks::{Name, SentRequest, Task, To};
use crate::measure::usage;
use anyhow::{Context, bail};
use std::time::Duration;
use tokio::process::Command;

/// Duration of the unmeasured beginning of a load, in which its connections are opened.
const WARM_UP: Duration = Duration::from_secs(1);
/// Duration of the unmeasured beginning of a slice, in which its connections are opened.
const SLICE_WARM_UP: Duration = Duration::from_millis(200);
/// Duration of one round of warm-up after the start of a cluster.
const ROUND: Duration = Duration::from_secs(1);
/// Duration of one round of warm-up of a JVM, which is longer than [`ROUND`] for two reasons. A JVM
/// compiles code only after the code has run often. Three JVMs share the machine, so each has
/// little processor time for compiling.
const JVM_ROUND: Duration = Duration::from_secs(5);
/// Number of consecutive rounds without gain after which a JVM counts as warmed up for a kind of
/// load. A round is without gain if it is less than a twentieth faster than the best round before.
const JVM_ROUNDS_WITHOUT_GAIN: u32 = 3;
/// Maximum number of rounds of warm-up of a JVM with each kind of load.
const JVM_ROUNDS: u32 = 12;

/// Minimum number of bytes of one service in a complete response. A service has 280 bytes in
/// quorate's responses.
const SERVICE_BYTES_MIN: u64 = 150;

impl Cluster {
    /// Measures a load on the cluster. Waits first until the processes of the other servers,
    /// `others`, are at rest.
    ///
    /// # Errors
    /// Fails if the load does not end or prints no figures. Also fails if no request was served,
    /// services are missing from the responses, or a node has ended.
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
        let target = self.target(task.to);
        let (figures, processor_s) = self
            .checked_load(&target, task, &of_type, WARM_UP, duration)
            .await?;
        Ok(Measured {
            figures,
            processor_s,
            others_s: usage::processor_s(others) - others_before_s,
            others_at_rest,
            memory_mb: usage::peak_memory_mb(&self.pids()),
        })
    }

    /// Measures a slice: one short load on the cluster, without waiting until other processes are
    /// at rest.
    ///
    /// # Errors
    /// Fails for the reasons of [`Cluster::measure`].
    pub async fn measure_slice(
        &mut self,
        task: &Task,
        slice: u32,
        duration: Duration,
    ) -> anyhow::Result<Slice> {
        if task.to == To::Follower {
            self.look_for_follower().await?;
        }
        let target = self.target(task.to);
        self.measure_slice_at(&target, task, slice, duration).await
    }

    /// Measures a slice like [`Cluster::measure_slice`], with a load that is sent to `target`.
    ///
    /// # Errors
    /// Fails for the reasons of [`Cluster::measure`].
    pub async fn measure_slice_at(
        &mut self,
        target: &LoadTarget,
        task: &Task,
        slice: u32,
        duration: Duration,
    ) -> anyhow::Result<Slice> {
        let pids = self.pids();
        let of_type = format!("{}-{slice}", task.name);
        let load = self.checked_load(target, task, &of_type, SLICE_WARM_UP, duration);
        let (measured, samples) = ProcessorSamples::during(&pids, load).await;
        let (figures, processor_s) = measured?;
        Ok(Slice {
            window_processor_s: figures
                .measured_from_ms
                .and_then(|from_ms| samples.used_s(from_ms, duration)),
            figures,
            processor_s,
        })
    }

    /// Returns the target of a load on these nodes.
    fn target(&self, to: To) -> LoadTarget {
        let mut target = self.plain_target();
        if to == To::Follower {
            target.servers = vec![self.follower.clone()];
        }
        target
    }

    /// Runs a load, and checks that the responses were complete. Returns its figures, and the
    /// processor time of all nodes in seconds.
    async fn checked_load(
        &mut self,
        target: &LoadTarget,
        task: &Task,
        of_type: &str,
        warm_up: Duration,
        duration: Duration,
    ) -> anyhow::Result<(Figures, f64)> {
        let pids = self.pids();
        let before_s = usage::processor_s(&pids);
        let figures = self.load(target, task, of_type, warm_up, duration).await?;
        let processor_s = usage::processor_s(&pids) - before_s;
        if figures.served == 0 {
            bail!("no request was served: {:?}", figures.errors);
        }
        if task.asked == SentRequest::Lookup && figures.bytes_per_answer < answer_bytes_min(task) {
            bail!(
                "a response has only {} bytes: services are missing from it",
                figures.bytes_per_answer
            );
        }
        for process in &mut self.processes {
            process.check_running()?;
        }
        Ok((figures, processor_s))
    }

    /// Finds a follower again, because the leader may have changed since the last load.
    async fn look_for_follower(&mut self) -> anyhow::Result<()> {
        self.follower = match self.name {
            Name::Quorate => quorate::follower(&self.servers).await?,
            Name::Etcd => etcd::follower(&self.load, &self.servers).await?,
            Name::Airlift | Name::Baseline => return Ok(()),
        };
        Ok(())
    }

    /// Warms up the cluster with lookups and then with changes, so that effects of its first
    /// requests are not measured.
    ///
    /// # Errors
    /// Fails if a load does not end or prints no figures.
    pub async fn warm_up(&self) -> anyhow::Result<()> {
        self.warm_up_at(&self.plain_target()).await
    }

    /// Warms up the cluster like [`Cluster::warm_up`], with loads that are sent to `target`.
    ///
    /// # Errors
    /// Fails for the reasons of [`Cluster::warm_up`].
    pub async fn warm_up_at(&self, target: &LoadTarget) -> anyhow::Result<()> {
        let (rounds, lasts) = match self.name {
            Name::Airlift => (JVM_ROUNDS, JVM_ROUND),
            _ => (1, ROUND),
        };
        for asked in [SentRequest::Lookup, SentRequest::Change] {
            let task = Task {
                asked,
                ..crate::measure::tasks::WARM
            };
            let (mut best, mut without_gain) = (0.0, 0);
            for round in 1..=rounds {
                let of_type = format!("warm-{asked:?}-{round}");
                let figures = self.load(target, &task, &of_type, WARM_UP, lasts).await?;
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

    /// Runs the load generator and returns its figures. Each load has a service type of its own,
    /// because a server that replicates late still shows the services of the last load for a while.
    async fn load(
        &self,
        target: &LoadTarget,
        task: &Task,
        of_type: &str,
        warm_up: Duration,
        duration: Duration,
    ) -> anyhow::Result<Figures> {
        let asked = match task.asked {
            SentRequest::Lookup => "lookup",
            SentRequest::Change => "change",
            SentRequest::Renew => "renew",
        };
        let mut command = Command::new(&self.load);
        command
            .args(["bench", asked, "--json"])
            .args(["--server", &target.servers.join(",")])
            .args(&target.options)
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

/// Returns the minimum size of a response that contains all services of a load, in any server's
/// format.
fn answer_bytes_min(task: &Task) -> u64 {
    u64::from(task.nodes) * SERVICE_BYTES_MIN
}
