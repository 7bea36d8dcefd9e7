//! Compares two builds: `scripts/bench --against BINARY`.
//!
//! The servers of both builds run at the same time. In each round, every build is under load for
//! one short slice, one build after the other. Only slices of the same round are compared, so a
//! slow minute of the machine affects the compared slices alike. Long runs of one build after the
//! other would vary by a third on a shared machine.
//!
//! The baseline, a server without replication, runs and is measured in the same way. It shows the
//! upper bound of the speed.

mod comparison;

use crate::measure::figures::TakenSlice;
use crate::measure::tasks::{Length, Name, Task, selected};
use crate::peers::{Cluster, Programs};
use crate::run_context::Occasion;
use anyhow::{Context, bail};
use comparison::{Load, LoadVerdict, Side, table};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Factor by which a slice of a load of length [`Length::Long`] is longer than the slices of other
/// loads.
const LONG: u32 = 4;

/// The arguments of `against`.
#[derive(Debug, clap::Args)]
pub struct AgainstArguments {
    #[command(flatten)]
    occasion: Occasion,
    /// Build to compare with.
    #[arg(long)]
    against: PathBuf,
    /// Number of slices of each load on each build.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(6..=1_000))]
    slices: u32,
    /// Duration of a slice, in milliseconds; slices of long loads last four times as long.
    #[arg(long, default_value_t = 800, value_parser = clap::value_parser!(u64).range(100..=60_000))]
    slice_ms: u64,
    /// Run only these loads.
    #[arg(long, value_delimiter = ',')]
    loads: Vec<String>,
}

/// The results of a comparison, with every raw number, as they are written to the JSON file.
#[derive(Serialize)]
struct Comparison {
    old: String,
    slice_ms: u64,
    loads: Vec<Load>,
}

/// Measures all loads on both builds, prints the table, and writes the results.
///
/// # Errors
/// Fails if a cluster does not start or the results cannot be written. Also fails, after the
/// results are written, if the new build is slower under a load or a load could not be compared.
pub async fn run(arguments: AgainstArguments) -> anyhow::Result<()> {
    let tasks = selected(&arguments.loads)?;
    let dir = arguments.occasion.dir()?;
    let mut clusters = start(&arguments, &dir).await?;
    let mut loads = Vec::new();
    for task in tasks {
        let slices = compare(&arguments, &mut clusters, &task).await;
        loads.push(Load { task, slices });
        eprint!("{}", table(&loads[loads.len() - 1..]));
    }
    let text = table(&loads);
    let count = |verdict| {
        loads
            .iter()
            .filter(|load| load.verdict() == verdict)
            .count()
    };
    let (losses, not_compared) = (count(LoadVerdict::Loss), count(LoadVerdict::NotCompared));
    let compared = Comparison {
        old: arguments.against.display().to_string(),
        slice_ms: arguments.slice_ms,
        loads,
    };
    let path = arguments.occasion.write_raw("against", &compared)?;
    arguments.occasion.write("against", "md", &text)?;
    println!(
        "{text}\n{losses} losses, {not_compared} not compared; {}",
        path.display()
    );
    match (losses, not_compared) {
        (0, 0) => Ok(()),
        _ => bail!("this build is slower than the other one, or could not be compared with it"),
    }
}

/// Starts and warms up a cluster of each build, and one of the baseline.
async fn start(
    arguments: &AgainstArguments,
    dir: &TempDir,
) -> anyhow::Result<Vec<(Side, Cluster)>> {
    let new = &arguments.occasion.quorate;
    let mut clusters = Vec::new();
    for (side, name, quorate) in [
        (Side::New, Name::Quorate, new),
        (Side::Old, Name::Quorate, &arguments.against),
        (Side::Baseline, Name::Baseline, new),
    ] {
        let programs = Programs::of_quorate(quorate, new)?;
        let place = dir.path().join(format!("{side:?}"));
        let cluster = start_one(&programs, name, &place).await;
        clusters.push((
            side,
            cluster.with_context(|| format!("{side:?}: {}", quorate.display()))?,
        ));
    }
    Ok(clusters)
}

/// Starts a cluster and warms it up.
async fn start_one(programs: &Programs, name: Name, place: &Path) -> anyhow::Result<Cluster> {
    let cluster = programs.start(name, place).await?;
    cluster.warm_up().await?;
    Ok(cluster)
}

/// Measures the slices of one load, on all sides in turn. Each round begins with a different side,
/// so that no side always follows the same other side.
async fn compare(
    arguments: &AgainstArguments,
    clusters: &mut [(Side, Cluster)],
    task: &Task,
) -> Vec<TakenSlice<Side>> {
    let usual = Duration::from_millis(arguments.slice_ms);
    let duration = match task.length {
        Length::Usual => usual,
        Length::Long => usual * LONG,
    };
    let mut slices = Vec::new();
    for round in 1..=arguments.slices {
        for (side, cluster) in clusters.iter_mut() {
            if *side == Side::Baseline && !task.of.contains(&Name::Baseline) {
                continue;
            }
            let slice = cluster.measure_slice(task, round, duration).await;
            let slice = slice.map_err(|why| format!("{why:#}"));
            if let Err(why) = &slice {
                eprintln!("{}, round {round}, {side:?}: {why}", task.name);
            }
            slices.push(TakenSlice {
                round,
                side: *side,
                slice,
            });
        }
        clusters.rotate_left(1);
    }
    slices
}
