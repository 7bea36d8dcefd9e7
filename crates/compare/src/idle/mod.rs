//! Measures the cost of many idle connections: the memory of the node that has them, and the
//! latency of lookups by other clients of that node.

mod waiting;

use crate::measure::figures::{Figures, median};
use crate::measure::load;
use crate::measure::usage;
use crate::nodes::Nodes;
use crate::run_context::Occasion;
use anyhow::{Context, bail, ensure};
use quorate::http::raise_descriptors;
use serde::Serialize;
use std::fmt;
use std::time::Duration;
use tokio::process::Command;
use waiting::Waiting;

/// Time without requests before each measurement. A connection is parked, which frees its buffers,
/// one second after its last request. The allocator returns the freed memory to the system over the
/// next ten seconds.
const WAITED: Duration = Duration::from_secs(15);
/// The service type of all lookups.
const SERVICE_TYPE: &str = "idle";

/// The arguments of `idle`.
#[derive(Debug, clap::Args)]
pub struct IdleArguments {
    #[command(flatten)]
    occasion: Occasion,
    /// Number of idle connections, each after one lookup.
    #[arg(
        long,
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u32).range(1..=16_000)
    )]
    connections: u32,
    /// Number of times that other lookups are measured, without and with the idle connections.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeats: u32,
    /// Duration of each load, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Number of lookups per second by other clients.
    #[arg(long, default_value_t = 1_000)]
    rate: u32,
}

/// The results, with every raw number, as they are written to the JSON file.
#[derive(Debug, Serialize)]
struct Idle {
    connections: u32,
    seconds: u64,
    rate: u32,
    repeats: Vec<Repeat>,
}

/// The results of the same load twice: without and with the idle connections.
#[derive(Debug, Serialize)]
struct Repeat {
    without: Figures,
    with: Figures,
    /// Resident memory of the node in megabytes: `without_mb` at the end of the load without idle
    /// connections, and `with_mb` at the end of the load with them.
    without_mb: f64,
    with_mb: f64,
}

/// Measures the cost, prints it, and writes the results.
///
/// # Errors
/// Fails if the cluster does not start, a load does not end, or an idle connection is closed.
pub async fn run(arguments: IdleArguments) -> anyhow::Result<()> {
    // If the limit on descriptors cannot be raised far enough, an error is reported later, by the
    // first connection that cannot be opened.
    let _ = raise_descriptors();
    let dir = arguments.occasion.dir()?;
    let program = &arguments.occasion.quorate;
    let nodes = Nodes::start(program, &dir.path().join("cluster")).await?;
    let mut idle = Idle {
        connections: arguments.connections,
        seconds: arguments.seconds,
        rate: arguments.rate,
        repeats: Vec::new(),
    };
    // One load runs before the first measurement. Otherwise, memory that the node allocates under
    // its first load and keeps would be attributed to the connections.
    load(&arguments, &nodes).await?;
    for time in 1..=arguments.repeats {
        let repeat = measure(&arguments, &nodes).await?;
        eprintln!("{time} of {}: {repeat}", arguments.repeats);
        idle.repeats.push(repeat);
    }
    let path = arguments.occasion.write_raw("idle", &idle)?;
    println!("{idle}\n{}", path.display());
    Ok(())
}

async fn measure(arguments: &IdleArguments, nodes: &Nodes) -> anyhow::Result<Repeat> {
    let node = nodes.pids()[0];
    tokio::time::sleep(WAITED).await;
    let without = load(arguments, nodes).await?;
    let without_mb = usage::resident_memory_mb(node).context("its memory")?;
    let waiting = Waiting::begin(nodes.port(0), arguments.connections).await?;
    tokio::time::sleep(WAITED).await;
    let with = load(arguments, nodes).await?;
    let with_mb = usage::resident_memory_mb(node).context("its memory")?;
    let closed = waiting.closed();
    ensure!(
        closed == 0,
        "{closed} idle connections were closed:\n{}",
        nodes.last_words(0)
    );
    Ok(Repeat {
        without,
        with,
        without_mb,
        with_mb,
    })
}

/// Runs lookups of a hundred services at a constant rate, on the node that has the idle
/// connections.
async fn load(arguments: &IdleArguments, nodes: &Nodes) -> anyhow::Result<Figures> {
    let lasts = Duration::from_secs(arguments.seconds);
    let mut command = Command::new(&arguments.occasion.quorate);
    command
        .args(["bench", "lookup", "--json", "--of-type", SERVICE_TYPE])
        .args(["--server", &format!("http://127.0.0.1:{}", nodes.port(0))])
        .args(["--rate", &arguments.rate.to_string()])
        .args(["--duration", &format!("{}s", arguments.seconds)]);
    let figures = load::figures(&mut command, lasts).await?;
    if !figures.errors.is_empty() {
        bail!("lookups failed: {:?}", figures.errors);
    }
    Ok(figures)
}

impl Repeat {
    fn grown_mb(&self) -> f64 {
        self.with_mb - self.without_mb
    }
}

impl fmt::Display for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0} MB more; p99 {:.2} ms without, {:.2} ms with",
            self.grown_mb(),
            self.without.latency_ms.p99,
            self.with.latency_ms.p99
        )
    }
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |one: fn(&Repeat) -> f64| median(self.repeats.iter().map(one)).unwrap_or(f64::NAN);
        let most = self.repeats.iter().map(Repeat::grown_mb);
        write!(
            f,
            "{} idle connections to one node: {:.0} MB more, at most {:.0} MB; \
             {} other lookups per second there: p50 {:.2} ms without, {:.2} ms with; \
             p99 {:.2} ms without, {:.2} ms with, {:.2} times (medians of {})",
            self.connections,
            of(Repeat::grown_mb),
            most.fold(0.0, f64::max),
            self.rate,
            of(|repeat| repeat.without.latency_ms.p50),
            of(|repeat| repeat.with.latency_ms.p50),
            of(|repeat| repeat.without.latency_ms.p99),
            of(|repeat| repeat.with.latency_ms.p99),
            of(|repeat| repeat.with.latency_ms.p99 / repeat.without.latency_ms.p99),
            self.repeats.len()
        )
    }
}
