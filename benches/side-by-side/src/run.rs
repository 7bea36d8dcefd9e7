//! A run: each of them in turn, and again, so that a minute in which the machine is slow falls on all of them.

use crate::machine::Machine;
use crate::peers::{Airlift, Cluster, Etcd, Programs};
use crate::results::{Came, Outcome, Results, Verdict};
use crate::table;
use crate::tasks::{ALL, Length, Name, TASKS, Task};
use anyhow::{Context, bail};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// How many times the usual a load of length `Long` lasts.
const LONG: u32 = 5;

/// How a run is asked for.
#[derive(Debug, clap::Args)]
pub struct RunArguments {
    /// The quorate to measure, built for release.
    #[arg(long)]
    quorate: PathBuf,
    /// The directory of airlift's discovery server, or why there is none.
    #[arg(long)]
    airlift: String,
    /// The home of a Java for it, or why there is none.
    #[arg(long)]
    java: String,
    /// benches/etcd, built, or why it is not.
    #[arg(long)]
    etcd: String,
    /// Another etcd server than the one built in.
    #[arg(long)]
    etcd_server: Option<PathBuf>,
    /// How often each is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeats: u32,
    /// How long a load lasts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Only these.
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Name>,
    /// Only these loads.
    #[arg(long, value_delimiter = ',')]
    loads: Vec<String>,
    /// Where the nodes keep their data, on a disk.
    #[arg(long)]
    work: PathBuf,
    /// Where the results are written.
    #[arg(long)]
    results: PathBuf,
    /// Of the run: it reads no clock.
    #[arg(long)]
    date: String,
    /// What is measured.
    #[arg(long)]
    commit: String,
    /// As the results say how they were made.
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
            airlift,
            etcd,
        })
    }

    fn tasks(&self) -> anyhow::Result<Vec<Task>> {
        for load in &self.loads {
            if !TASKS.iter().any(|task| task.name == load) {
                let known: Vec<&str> = TASKS.iter().map(|task| task.name).collect();
                bail!("'{load}' is none of the loads: {}", known.join(", "));
            }
        }
        let is_wanted =
            |task: &&Task| self.loads.is_empty() || self.loads.iter().any(|load| load == task.name);
        Ok(TASKS.iter().filter(is_wanted).copied().collect())
    }

    fn duration(&self, task: &Task) -> Duration {
        let usual = Duration::from_secs(self.seconds);
        match task.length {
            Length::Usual => usual,
            Length::Long => usual * LONG,
        }
    }
}

/// Measures, prints the table, and writes the results.
///
/// # Errors
/// When it cannot be begun or written; what fails of one load is in the results.
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
        tasks: arguments.tasks()?,
        outcomes: Vec::new(),
    };
    let mut there = Vec::new();
    for name in ALL {
        let left_out = !arguments.only.is_empty() && !arguments.only.contains(name);
        let why = match left_out {
            true => Some("not asked for"),
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
        bail!("nobody can be measured: {:?}", results.missing);
    }
    let mut path = PathBuf::new();
    for repeat in 1..=arguments.repeats {
        for name in &there {
            let outcomes =
                measure_all(&arguments, &programs, *name, repeat, &results.tasks).await?;
            results.outcomes.extend(outcomes);
        }
        // Nobody always follows the same one.
        there.reverse();
        there.rotate_left(1);
        // What is measured is kept, whatever happens later.
        path = results.write(&arguments.results, &table::of(&results))?;
    }
    println!("{}", table::of(&results));
    println!(
        "{} goals met, {} missed, {} not measured; {}",
        results.count(Verdict::Met),
        results.count(Verdict::Missed),
        results.count(Verdict::NotMeasured),
        path.display()
    );
    Ok(())
}

/// Every load on a new cluster of one of them.
async fn measure_all(
    arguments: &RunArguments,
    programs: &Programs,
    name: Name,
    repeat: u32,
    tasks: &[Task],
) -> anyhow::Result<Vec<Outcome>> {
    let own: Vec<&Task> = tasks
        .iter()
        .filter(|task| task.of.contains(&name))
        .collect();
    // Beside the programs, on a disk: where temporary files are kept in memory, a sync costs nothing.
    let dir = TempDir::new_in(&arguments.work).context("a temporary directory")?;
    let mut cluster = start(programs, name, &dir).await;
    let mut outcomes = Vec::new();
    for task in own {
        eprintln!("{repeat} of {}: {name}, {}", arguments.repeats, task.name);
        let came = match &mut cluster {
            Ok(cluster) => cluster
                .measure(task, arguments.duration(task))
                .await
                .map_or_else(|why| Came::Failed(format!("{why:#}")), Came::Measured),
            Err(why) => Came::Failed(format!("{why:#}")),
        };
        if let Came::Failed(why) = &came {
            eprintln!("failed: {why}");
        }
        outcomes.push(Outcome {
            repeat,
            name,
            task: task.name,
            came,
        });
    }
    Ok(outcomes)
}

async fn start(programs: &Programs, name: Name, dir: &TempDir) -> anyhow::Result<Cluster> {
    let cluster = programs.start(name, dir.path()).await?;
    cluster.warm_up().await?;
    Ok(cluster)
}
