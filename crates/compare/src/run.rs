//! Runs all loads on all servers: `scripts/bench`.
//!
//! All servers are started and warmed up before the first load. Each load runs on each server in
//! turn, so a slow minute of the machine affects all servers alike. The order of the servers
//! differs between loads and between repeats.

use crate::machine::Machine;
use crate::measure::tasks::{ALL, Length, Name, Task, selected};
use crate::peers::{Airlift, Cluster, Etcd, Programs};
use crate::report::results::{GoalVerdict, LoadOutcome, Measurement, Results};
use crate::report::table;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Factor by which a load of length [`Length::Long`] lasts longer than a load of [`Length::Usual`].
const LONG: u32 = 5;

/// The arguments of a run.
#[derive(Debug, clap::Args)]
pub struct RunArguments {
    /// Release build of quorate to measure.
    #[arg(long)]
    quorate: PathBuf,
    /// Directory of airlift's discovery server, or the reason why it is not available.
    #[arg(long)]
    airlift: String,
    /// Home of the Java that runs airlift's server, or the reason why it is not available.
    #[arg(long)]
    java: String,
    /// Program built from crates/compare/etcd, or the reason why it is not available.
    #[arg(long)]
    etcd: String,
    /// Use this etcd server instead of the one built into the program of --etcd.
    #[arg(long)]
    etcd_server: Option<PathBuf>,
    /// Number of times that each load is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeats: u32,
    /// Duration of a load, in seconds; long loads last five times as long.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Measure only these servers.
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Name>,
    /// Run only these loads.
    #[arg(long, value_delimiter = ',')]
    loads: Vec<String>,
    /// Directory for the data of the nodes; must be on a disk.
    #[arg(long)]
    work: PathBuf,
    /// Directory for the results.
    #[arg(long)]
    results: PathBuf,
    /// Date of the run, for the results: this program does not read the wall clock.
    #[arg(long)]
    date: String,
    /// Commit that is measured, for the results.
    #[arg(long)]
    commit: String,
    /// Command line that reproduces the run, for the results.
    #[arg(long)]
    command: String,
}

impl RunArguments {
    fn programs(&self) -> anyhow::Result<Programs> {
        let found = |told: &str| match told.starts_with('/') {
            true => Ok(PathBuf::from(told)),
            false => Err(told.to_owned()),
        };
        let airlift = found(&self.airlift).and_then(|dir| {
            let java_home = found(&self.java)?;
            Ok(Airlift { dir, java_home })
        });
        let etcd = found(&self.etcd).map(|program| Etcd {
            program,
            server: self.etcd_server.clone(),
        });
        Ok(Programs {
            itself: std::env::current_exe()?,
            quorate: self.quorate.clone(),
            load: self.quorate.clone(),
            airlift,
            etcd,
        })
    }

    fn duration(&self, task: &Task) -> Duration {
        let usual = Duration::from_secs(self.seconds);
        match task.length {
            Length::Usual => usual,
            Length::Long => usual * LONG,
        }
    }
}

/// Measures all loads, prints the table, and writes the results.
///
/// # Errors
/// Fails if the run cannot start, or its results cannot be written. The failure of a single load is
/// recorded in the results instead.
pub async fn run(arguments: RunArguments) -> anyhow::Result<()> {
    let programs = arguments.programs()?;
    let mut results = Results {
        date: arguments.date.clone(),
        commit: arguments.commit.clone(),
        machine: Machine::this(),
        command: arguments.command.clone(),
        seconds: arguments.seconds,
        repeats: arguments.repeats,
        versions: Default::default(),
        missing: Default::default(),
        tasks: selected(&arguments.loads)?,
        outcomes: Vec::new(),
    };
    let mut there = Vec::new();
    for name in ALL {
        let left_out = !arguments.only.is_empty() && !arguments.only.contains(name);
        let why = match left_out {
            true => Some("not selected"),
            false => programs.missing(*name),
        };
        match why {
            Some(why) => {
                results.missing.insert(*name, why.to_owned());
            }
            None => {
                results
                    .versions
                    .insert(*name, programs.version(*name).await);
                there.push(*name);
            }
        }
    }
    if there.is_empty() {
        bail!("no server can be measured: {:?}", results.missing);
    }
    // The data directories are on a disk, beside the programs. The system's directory for temporary
    // files may be in memory, where an fsync costs nothing.
    let dir = TempDir::new_in(&arguments.work).context("a temporary directory")?;
    let mut stalls = Vec::new();
    for name in there {
        let dir = dir.path().join(name.to_string());
        stalls.push(Stall::open(&programs, name, dir).await);
    }
    let mut path = PathBuf::new();
    for repeat in 1..=arguments.repeats {
        for task in &results.tasks {
            let duration = arguments.duration(task);
            let outcomes = measure_each(&mut stalls, task, repeat, arguments.repeats, duration);
            results.outcomes.extend(outcomes.await);
            stalls.rotate_left(1);
        }
        // The order is reversed after each repeat, so that no server always follows the same other
        // server.
        stalls.reverse();
        reopen(&programs, &mut stalls, repeat).await;
        // The results are written after each repeat, so that the results so far are not lost if a
        // later measurement fails.
        path = results.write(&arguments.results, &table::of(&results))?;
    }
    println!("{}", table::of(&results));
    println!(
        "{} goals met, {} missed, {} not measured; {}",
        results.count(GoalVerdict::Met),
        results.count(GoalVerdict::Missed),
        results.count(GoalVerdict::NotMeasured),
        path.display()
    );
    Ok(())
}

/// One kind of server, with the cluster that runs it. A cluster that failed may be replaced during
/// the run.
struct Stall {
    name: Name,
    /// The directory for the data of the cluster.
    dir: PathBuf,
    /// The running cluster, or the reason why it could not be started and warmed up.
    cluster: Result<Cluster, String>,
}

impl Stall {
    /// Starts and warms up a cluster of this kind of server. If this fails, the stall contains the
    /// reason.
    async fn open(programs: &Programs, name: Name, dir: PathBuf) -> Stall {
        eprintln!("starting and warming up {name}");
        let cluster = start(programs, name, &dir).await;
        Stall {
            name,
            dir,
            cluster: cluster.map_err(|why| format!("{why:#}")),
        }
    }

    fn pids(&self) -> Vec<u32> {
        self.cluster.as_ref().map(Cluster::pids).unwrap_or_default()
    }

    /// Measures one load on this server, after waiting until the processes of the `others` are at
    /// rest.
    async fn measure(
        &mut self,
        task: &Task,
        repeat: u32,
        duration: Duration,
        others: &[u32],
    ) -> Measurement {
        let measured = match &mut self.cluster {
            Ok(cluster) => cluster.measure(task, repeat, duration, others).await,
            Err(why) => return Measurement::Failed(why.clone()),
        };
        measured.map_or_else(
            |why| Measurement::Failed(format!("{why:#}")),
            Measurement::Measured,
        )
    }
}

/// Measures one load on each server to which it applies, one server after the other. All servers
/// except the measured one are at rest.
async fn measure_each(
    stalls: &mut [Stall],
    task: &Task,
    repeat: u32,
    repeats: u32,
    duration: Duration,
) -> Vec<LoadOutcome> {
    let pids: Vec<(Name, Vec<u32>)> = stalls
        .iter()
        .map(|stall| (stall.name, stall.pids()))
        .collect();
    let mut outcomes = Vec::new();
    for stall in stalls
        .iter_mut()
        .filter(|stall| task.of.contains(&stall.name))
    {
        let name = stall.name;
        eprintln!("{repeat} of {repeats}: {}, {name}", task.name);
        let others = pids.iter().filter(|(other, _)| *other != name);
        let others: Vec<u32> = others.flat_map(|(_, pids)| pids).copied().collect();
        let came = stall.measure(task, repeat, duration, &others).await;
        if let Measurement::Failed(why) = &came {
            eprintln!("failed: {why}");
        }
        outcomes.push(LoadOutcome {
            repeat,
            name,
            task: task.name,
            came,
        });
    }
    outcomes
}

/// Starts a new cluster in place of each cluster of which a process has ended. The run can then
/// continue after a failed repeat.
async fn reopen(programs: &Programs, stalls: &mut [Stall], repeat: u32) {
    for stall in stalls {
        let runs = stall.cluster.as_mut().is_ok_and(Cluster::runs);
        if !runs {
            let dir = stall.dir.with_extension(repeat.to_string());
            *stall = Stall::open(programs, stall.name, dir).await;
        }
    }
}

async fn start(programs: &Programs, name: Name, dir: &Path) -> anyhow::Result<Cluster> {
    let cluster = programs.start(name, dir).await?;
    cluster.warm_up().await?;
    Ok(cluster)
}
