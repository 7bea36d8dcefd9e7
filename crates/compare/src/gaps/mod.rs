//! Measures for how long clients of the other nodes cannot write after the leader is killed or
//! stopped.

mod acknowledged;
mod writer;

use crate::measure::figures::median;
use crate::nodes::{Ending, Nodes};
use crate::run_context::Occasion;
use acknowledged::Acknowledged;
use anyhow::bail;
use quorate::clock::now;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use writer::Writer;

/// Number of writes that must be acknowledged before the leader is killed or stopped, so that all
/// writers are working by then.
const WARM_WRITES: u64 = 500;
/// Minimum time after the leader is killed or stopped during which gaps are measured.
const WATCHED: Duration = Duration::from_secs(3);
/// Timeout for writes to be acknowledged. It is far longer than any election, so a cluster that
/// exceeds it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// The arguments of `gaps`.
#[derive(Debug, clap::Args)]
pub struct GapsArguments {
    #[command(flatten)]
    occasion: Occasion,
    /// Number of leaders to kill.
    #[arg(long, default_value_t = 20)]
    kills: u32,
    /// Number of leaders to stop.
    #[arg(long, default_value_t = 20)]
    stops: u32,
    /// Number of concurrent writers, spread over the other nodes.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    writers: u32,
}

/// The results, with every raw number, as they are written to the JSON file.
#[derive(Debug, Serialize)]
struct Gaps {
    writers: u32,
    killed_ms: Vec<f64>,
    stopped_ms: Vec<f64>,
}

/// Measures the gaps, prints them, and writes the results.
///
/// # Errors
/// Fails if the cluster does not become ready again, or does not accept writes again.
pub async fn run(arguments: GapsArguments) -> anyhow::Result<()> {
    let dir = arguments.occasion.dir()?;
    let program = &arguments.occasion.quorate;
    let mut nodes = Nodes::start(program, &dir.path().join("cluster")).await?;
    let mut gaps = Gaps {
        writers: arguments.writers,
        killed_ms: Vec::new(),
        stopped_ms: Vec::new(),
    };
    for (ending, times) in [
        (Ending::Killed, arguments.kills),
        (Ending::Stopped, arguments.stops),
    ] {
        for time in 1..=times {
            let gap = measure(&mut nodes, ending, arguments.writers).await?;
            let gap_ms = gap.as_micros() as f64 / 1_000.0;
            eprintln!("{time} of {times}: {ending:?}: {gap_ms:.0} ms");
            match ending {
                Ending::Killed => gaps.killed_ms.push(gap_ms),
                Ending::Stopped => gaps.stopped_ms.push(gap_ms),
            }
        }
    }
    let path = arguments.occasion.write_raw("gaps", &gaps)?;
    println!("killed   {}", line(&gaps.killed_ms));
    println!("stopped  {}", line(&gaps.stopped_ms));
    println!("{}", path.display());
    Ok(())
}

fn line(gaps_ms: &[f64]) -> String {
    let most = gaps_ms.iter().copied().fold(0.0, f64::max);
    match median(gaps_ms.iter().copied()) {
        Some(median) => format!(
            "{} times: median {median:.0} ms, at most {most:.0} ms",
            gaps_ms.len()
        ),
        None => "not measured".to_owned(),
    }
}

/// Kills or stops the leader while clients write through the other nodes. Then starts the node
/// again, and returns the longest time without an acknowledgement after the end of the leader.
///
/// # Errors
/// Fails if the cluster does not become ready again, or does not accept writes again.
pub async fn measure(nodes: &mut Nodes, ending: Ending, writers: u32) -> anyhow::Result<Duration> {
    let leader = nodes.leader().await?;
    let acknowledged = Arc::new(Acknowledged::default());
    // Dropping the set aborts the writers.
    let mut tasks = JoinSet::new();
    let others = nodes.ports_but(leader);
    for (number, port) in (0..writers).zip(others.iter().cycle()) {
        let writer = Writer::new(*port, number);
        tasks.spawn(writer.run(acknowledged.clone()));
    }
    within(
        PATIENCE,
        "no write was acknowledged",
        acknowledged.reached(WARM_WRITES),
    )
    .await?;
    let ended = now();
    acknowledged.begin(ended);
    nodes.end(leader, ending)?;
    tokio::time::sleep_until(ended + WATCHED).await;
    let more = acknowledged.count() + 1;
    within(
        PATIENCE,
        "no write was acknowledged after the end of the leader",
        acknowledged.reached(more),
    )
    .await?;
    let gap = acknowledged.longest_gap();
    tasks.shutdown().await;
    nodes.restart(leader).await?;
    Ok(gap)
}

async fn within(limit: Duration, what: &str, done: impl Future<Output = ()>) -> anyhow::Result<()> {
    match tokio::time::timeout(limit, done).await {
        Ok(()) => Ok(()),
        Err(_) => bail!("{what} within {limit:?}"),
    }
}
