//! Checks that there is no election during a long load on a cluster without failures.

use crate::measure::figures::Figures;
use crate::measure::load;
use crate::nodes::Nodes;
use crate::run_context::Occasion;
use anyhow::bail;
use serde::Serialize;
use std::time::Duration;
use tokio::process::Command;

/// The arguments of `steady`.
#[derive(Debug, clap::Args)]
pub struct SteadyArguments {
    #[command(flatten)]
    occasion: Occasion,
    /// Duration of the load, in seconds.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Number of clients. Each sends its next request as soon as it has the response.
    #[arg(long, default_value_t = 64)]
    clients: u32,
}

/// The results, as they are written to the JSON file.
#[derive(Debug, Serialize)]
struct Steady {
    seconds: u64,
    clients: u32,
    /// Number of terms that began during the load. `None` if a node did not report its term at the
    /// end of the load.
    elections: Option<u64>,
    figures: Figures,
}

/// Runs the load, prints its figures, and writes the results.
///
/// # Errors
/// Fails if the cluster does not start, the load does not end, or there was an election.
pub async fn run(arguments: SteadyArguments) -> anyhow::Result<()> {
    let dir = arguments.occasion.dir()?;
    let program = &arguments.occasion.quorate;
    let nodes = Nodes::start(program, &dir.path().join("cluster")).await?;
    let before = nodes.term().await?;
    let figures = load(&arguments, &nodes).await?;
    let steady = Steady {
        seconds: arguments.seconds,
        clients: arguments.clients,
        // If a node does not report its term, the number of elections is unknown. This error is not
        // returned here, so that the figures of the load are not lost.
        elections: nodes.term().await.ok().map(|after| after - before),
        figures,
    };
    let path = arguments.occasion.write_raw("steady", &steady)?;
    let Steady {
        seconds,
        elections,
        figures,
        ..
    } = &steady;
    println!(
        "{} elections in {seconds} s; {:.0} requests/s, p99 {} ms, at most {} ms, errors {:?}; {}",
        elections.map_or_else(|| "unknown".to_owned(), |count| count.to_string()),
        figures.rate_per_second,
        figures.latency_ms.p99,
        figures.latency_ms.max,
        figures.errors,
        path.display()
    );
    match elections {
        Some(0) => Ok(()),
        Some(_) => bail!("there were elections although no node failed"),
        None => bail!("a node does not respond"),
    }
}

/// Runs a mix of lookups, renewals and changes, in which each client sends its next request as soon
/// as it has the response.
async fn load(arguments: &SteadyArguments, nodes: &Nodes) -> anyhow::Result<Figures> {
    let mut command = Command::new(&arguments.occasion.quorate);
    command
        .args(["bench", "mix", "--json", "--server", &nodes.servers()])
        .args(["--clients", &arguments.clients.to_string()])
        .args(["--nodes", "1000"])
        .args(["--duration", &format!("{}s", arguments.seconds)]);
    load::figures(&mut command, Duration::from_secs(arguments.seconds)).await
}
