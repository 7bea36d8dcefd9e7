//! What many connections that wait cost: memory of the node that holds them, and the lookups of others there.

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

/// So long nothing is asked before others are measured. A second after it was asked last a connection is parked, and the allocator
/// gives its buffers back over ten more.
const WAITED: Duration = Duration::from_secs(15);
/// Of all lookups.
const SERVICE_TYPE: &str = "idle";

/// How it is asked for.
#[derive(Debug, clap::Args)]
pub struct IdleArguments {
    #[command(flatten)]
    occasion: Occasion,
    /// How many connections wait, each after a lookup.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=16_000))]
    connections: u32,
    /// How often others look up without them, and with them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeats: u32,
    /// How long each time.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Lookups of others, a second.
    #[arg(long, default_value_t = 1_000)]
    rate: u32,
}

/// What came of it, with every raw number.
#[derive(Debug, Serialize)]
struct Idle {
    connections: u32,
    seconds: u64,
    rate: u32,
    repeats: Vec<Repeat>,
}

/// The same load twice.
#[derive(Debug, Serialize)]
struct Repeat {
    without: Figures,
    with: Figures,
    /// Resident memory of the node at the end of each, in megabytes.
    without_mb: f64,
    with_mb: f64,
}

/// Measures, prints, and writes the results.
///
/// # Errors
/// When the cluster does not start, a load does not end, or a connection that waits is closed.
pub async fn run(arguments: IdleArguments) -> anyhow::Result<()> {
    // Where there are too few, the connections that cannot be opened say so.
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
    // What the first load takes for good is not counted as theirs.
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
        "{closed} connections that waited were closed:\n{}",
        nodes.last_words(0)
    );
    Ok(Repeat {
        without,
        with,
        without_mb,
        with_mb,
    })
}

/// Lookups of a hundred services on the node that holds the connections, at an even pace.
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
            "{} idle connections to one node: {:.0} MB more, at most {:.0} MB; {} lookups a second of others there: \
             p50 {:.2} ms without, {:.2} ms with; p99 {:.2} ms without, {:.2} ms with, {:.2} times (medians of {})",
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
