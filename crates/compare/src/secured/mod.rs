//! Measures what security costs: `scripts/bench --secured`.
//!
//! Clusters with and without each kind of security run at the same time, all of the same build. In
//! each round, every side of a load is under that load for one short slice, one side after the
//! other. Only slices of the same round are compared, as in `against`.
//!
//! HTTPS is compared with HTTP beside the baseline, an axum server with the same TLS settings,
//! because clients and servers share the machine: the clients' own TLS takes processor time from
//! every server.

mod certificate;
mod clusters;
mod comparison;
mod figure;
mod kills;
mod loads;

use crate::measure::figures::TakenSlice;
use crate::peers::Programs;
use crate::run_context::Occasion;
use anyhow::bail;
use certificate::MadeCertificate;
use clusters::SecuredClusters;
use comparison::SecuredComparison;
use figure::{SecuredFigure, SecuredVerdict, table};
use kills::LeaderKills;
use loads::{GAPS, SecuredLoad, SecuredSide, selected};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// The arguments of `secured`.
#[derive(Debug, clap::Args)]
pub struct SecuredArguments {
    #[command(flatten)]
    occasion: Occasion,
    /// Number of slices of each load on each side.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(6..=1_000))]
    slices: u32,
    /// Duration of a slice, in milliseconds.
    #[arg(long, default_value_t = 800, value_parser = clap::value_parser!(u64).range(100..=60_000))]
    slice_ms: u64,
    /// Run only these loads; `gaps` stands for the kills of leaders.
    #[arg(long, value_delimiter = ',')]
    loads: Vec<String>,
    /// Number of leaders to kill in each of two clusters. With 0, none are killed.
    #[arg(long, default_value_t = 40)]
    kills: u32,
}

/// The results, with every raw number, as they are written to the JSON file.
#[derive(Serialize)]
struct Secured {
    slice_ms: u64,
    loads: Vec<SecuredComparison>,
    kills: Option<LeaderKills>,
    figures: Vec<SecuredFigure>,
}

/// Measures all loads and gaps, prints the table, and writes the results.
///
/// # Errors
/// Fails if a cluster does not start or the results cannot be written. Also fails, after the
/// results are written, if a figure falls short of its goal or could not be compared.
pub async fn run(arguments: SecuredArguments) -> anyhow::Result<()> {
    let loads = selected(&arguments.loads)?;
    let with_gaps = arguments.loads.is_empty() || arguments.loads.iter().any(|name| name == GAPS);
    let dir = arguments.occasion.dir()?;
    let loads = compare_all(&arguments, loads, dir.path()).await?;
    let kills = match arguments.kills {
        kills if kills > 0 && with_gaps => {
            let program = &arguments.occasion.quorate;
            Some(LeaderKills::measure(program, dir.path(), kills).await?)
        }
        _ => None,
    };
    let figures = loads.iter().flat_map(SecuredComparison::figures);
    let figures: Vec<_> = figures
        .chain(kills.iter().map(LeaderKills::figure))
        .collect();
    let text = table(&figures);
    let count = |verdict| {
        let figures = figures.iter();
        figures.filter(|figure| figure.verdict() == verdict).count()
    };
    let shortfalls = count(SecuredVerdict::FallsShort);
    let not_compared = count(SecuredVerdict::NotCompared);
    let measured = figures.len();
    let secured = Secured {
        slice_ms: arguments.slice_ms,
        loads,
        kills,
        figures,
    };
    let path = arguments.occasion.write_raw("secured", &secured)?;
    arguments.occasion.write("secured", "md", &text)?;
    println!(
        "{text}\n{measured} figures, {shortfalls} fall short, {not_compared} not compared; {}",
        path.display()
    );
    match (measured, shortfalls, not_compared) {
        (0, _, _) => bail!("nothing was measured"),
        (_, 0, 0) => Ok(()),
        _ => bail!("security costs more than it may, or its cost could not be compared"),
    }
}

/// Starts the clusters that these loads need, and measures each load on all of its sides.
async fn compare_all(
    arguments: &SecuredArguments,
    loads: Vec<SecuredLoad>,
    dir: &Path,
) -> anyhow::Result<Vec<SecuredComparison>> {
    let quorate = &arguments.occasion.quorate;
    let programs = Programs::of_quorate(quorate, quorate)?;
    let certificate = MadeCertificate::write(dir)?;
    let sides = loads.iter().flat_map(|load| load.sides());
    let mut clusters = SecuredClusters::start(&programs, dir, &certificate, sides).await?;
    let mut compared = Vec::new();
    for load in loads {
        let slices = compare(arguments, &mut clusters, &load).await;
        let comparison = SecuredComparison { load, slices };
        eprint!("{}", table(&comparison.figures()));
        compared.push(comparison);
    }
    Ok(compared)
}

/// Measures the slices of one load, on all sides in turn. Each round begins with a different side,
/// so that no side always follows the same other side.
async fn compare(
    arguments: &SecuredArguments,
    clusters: &mut SecuredClusters,
    load: &SecuredLoad,
) -> Vec<TakenSlice<SecuredSide>> {
    let duration = Duration::from_millis(arguments.slice_ms);
    let mut sides = load.sides();
    let mut slices = Vec::new();
    for round in 1..=arguments.slices {
        for side in &sides {
            let slice = clusters.measure_slice(*side, load, round, duration).await;
            let slice = slice.map_err(|why| format!("{why:#}"));
            if let Err(why) = &slice {
                eprintln!("{}, round {round}, {side:?}: {why}", load.name);
            }
            slices.push(TakenSlice {
                round,
                side: *side,
                slice,
            });
        }
        sides.rotate_left(1);
    }
    slices
}
