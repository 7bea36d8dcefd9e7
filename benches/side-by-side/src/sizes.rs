//! What a registry of each size costs: a lookup of all of it, memory, and a start after all nodes were killed.

mod plot;

use crate::figures::Figures;
use crate::load;
use crate::nodes::{Ending, Nodes};
use crate::occasion::Occasion;
use crate::usage;
use anyhow::bail;
use quorate::clock::now;
use serde::Serialize;
use std::fmt::Write;
use std::time::Duration;
use tokio::process::Command;

/// Services, of each measurement.
const SIZES: [u32; 5] = [10, 100, 1_000, 10_000, 100_000];
/// The most nodes that announce them: each is renewed every 8 s besides.
const NODES_MAX: u32 = 1_000;
/// Of all lookups.
const SERVICE_TYPE: &str = "sizes";
/// From the start of all processes until each shows everything.
const RESTART_LIMIT: Duration = Duration::from_secs(60);

/// How it is asked for.
#[derive(Debug, clap::Args)]
pub struct SizesArguments {
    #[command(flatten)]
    occasion: Occasion,
    /// How long each load lasts.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How many ask at once.
    #[arg(long, default_value_t = 8)]
    clients: u32,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Sizes {
    seconds: u64,
    clients: u32,
    sizes: Vec<Size>,
}

/// A registry of one size.
#[derive(Debug, Serialize)]
struct Size {
    services: u32,
    figures: Figures,
    /// Of the largest node, at its peak, with its lookups.
    memory_mb: f64,
    /// From the start of all nodes, after all were killed, until each shows all services.
    restart_s: f64,
}

impl Size {
    /// What a lookup takes of the time in which the whole machine does nothing else, in microseconds.
    fn lookup_us(&self) -> f64 {
        1e6 / self.figures.rate_per_second
    }
}

/// Measures, prints, and writes the results.
///
/// # Errors
/// When a cluster does not start, a load does not end, or a service is missing after a start.
pub async fn run(arguments: SizesArguments) -> anyhow::Result<()> {
    let mut sizes = Sizes {
        seconds: arguments.seconds,
        clients: arguments.clients,
        sizes: Vec::new(),
    };
    let occasion = &arguments.occasion;
    for services in SIZES {
        eprintln!("{services} services");
        let size = measure(&arguments, services).await?;
        sizes.sizes.push(size);
        // What was measured is kept, whatever happens later.
        occasion.write_raw("sizes", &sizes)?;
    }
    let table = sizes.table(occasion);
    occasion.write("sizes", "svg", &plot::of(&sizes.sizes)?)?;
    let path = occasion.write("sizes", "md", &table)?;
    println!("{table}{}", path.display());
    Ok(())
}

async fn measure(arguments: &SizesArguments, services: u32) -> anyhow::Result<Size> {
    let dir = arguments.occasion.dir()?;
    let program = &arguments.occasion.quorate;
    let mut nodes = Nodes::start(program, &dir.path().join("cluster")).await?;
    let figures = load(arguments, &nodes, services).await?;
    if !figures.errors.is_empty() {
        bail!("{services} services: {:?}", figures.errors);
    }
    let memory_mb = usage::peak_memory_mb(&nodes.pids());
    for node in 0..nodes.count() {
        nodes.end(node, Ending::Killed)?;
    }
    nodes.all_ended().await?;
    let began = now();
    nodes.start_all()?;
    let shown = nodes.each_shows(SERVICE_TYPE, services);
    if tokio::time::timeout(RESTART_LIMIT, shown).await.is_err() {
        bail!("not every node shows {services} services after a start");
    }
    Ok(Size {
        services,
        figures,
        memory_mb,
        restart_s: now().duration_since(began).as_secs_f64(),
    })
}

/// Announces them, and looks all of them up. They stay announced.
async fn load(arguments: &SizesArguments, nodes: &Nodes, services: u32) -> anyhow::Result<Figures> {
    let of_nodes = services.min(NODES_MAX);
    let mut command = Command::new(&arguments.occasion.quorate);
    command
        .args([
            "bench",
            "lookup",
            "--json",
            "--keep",
            "--of-type",
            SERVICE_TYPE,
        ])
        .args(["--server", &nodes.servers()])
        .args(["--clients", &arguments.clients.to_string()])
        .args(["--nodes", &of_nodes.to_string()])
        .args(["--services", &(services / of_nodes).to_string()])
        .args(["--duration", &format!("{}s", arguments.seconds)]);
    load::figures(&mut command, Duration::from_secs(arguments.seconds)).await
}

impl Sizes {
    fn table(&self, occasion: &Occasion) -> String {
        let mut table = format!(
            "{} clients ask three nodes for all services, {} s each; commit {}, {}.\n\n",
            self.clients, self.seconds, occasion.commit, occasion.date
        );
        table += "| services | kB a lookup | lookups/s | MB/s | µs a lookup | µs a kB | p50 ms | p99 ms | memory of a node, MB | all nodes killed and started again: all shown after, s |\n";
        table += "|---|---|---|---|---|---|---|---|---|---|\n";
        for size in &self.sizes {
            let kb = size.figures.bytes_per_answer as f64 / 1e3;
            let rate = size.figures.rate_per_second;
            let latency = size.figures.latency_ms;
            // A String takes everything.
            let _ = writeln!(
                table,
                "| {} | {kb:.1} | {rate:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {:.1} | {:.0} | {:.1} |",
                size.services,
                rate * kb / 1e3,
                size.lookup_us(),
                size.lookup_us() / kb,
                latency.p50,
                latency.p99,
                size.memory_mb,
                size.restart_s
            );
        }
        table
    }
}
