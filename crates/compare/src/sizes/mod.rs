//! Measures the cost of registries of different sizes. The measured costs are the time of lookups
//! of all services on quorate and on the baseline, the memory, and the time of a restart after all
//! nodes were killed.

mod plot;
mod restart;
mod size;
mod table;

use crate::measure::figures::Figures;
use crate::measure::load;
use crate::measure::usage;
use crate::nodes::Nodes;
use crate::peers::baseline::Baselines;
use crate::run_context::Occasion;
use anyhow::bail;
use size::{Lookups, Size, Sizes};
use std::env;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// The numbers of services for which the cost is measured.
const SIZES: [u32; 5] = [10, 100, 1_000, 10_000, 100_000];
/// Maximum number of nodes that announce the services. A larger registry has more services per node
/// and not more nodes, since each node adds a renewal every 8 s to the load.
const NODES_MAX: u32 = 1_000;
/// The service type of all lookups.
const SERVICE_TYPE: &str = "sizes";

/// The arguments of `sizes`.
#[derive(Debug, clap::Args)]
pub struct SizesArguments {
    #[command(flatten)]
    occasion: Occasion,
    /// Number of times that the lookups of each size are measured, alternating with the baseline's.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeats: u32,
    /// Duration of each load of lookups, in seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Duration of the changes before the second restart, in seconds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    change_seconds: u64,
    /// Number of concurrent clients.
    #[arg(long, default_value_t = 8)]
    clients: u32,
}

/// Measures each size, prints the table, and writes the results.
///
/// # Errors
/// Fails if a cluster does not start, a load does not end, or a service is missing after a restart.
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
        // The results are written after each size, so that the results so far are not lost if a
        // later measurement fails.
        occasion.write_raw("sizes", &sizes)?;
    }
    let table = table::of(&sizes, occasion);
    occasion.write("sizes", "svg", &plot::of(&sizes.sizes)?)?;
    let path = occasion.write("sizes", "md", &table)?;
    println!("{table}{}", path.display());
    Ok(())
}

async fn measure(arguments: &SizesArguments, services: u32) -> anyhow::Result<Size> {
    let dir = arguments.occasion.dir()?;
    let program = &arguments.occasion.quorate;
    let mut nodes = Nodes::start(program, &dir.path().join("cluster")).await?;
    let lookups = lookups(arguments, &nodes, dir.path(), services).await?;
    let memory_mb = usage::peak_memory_mb(&nodes.pids());
    let after_lookups = restart::measure(&mut nodes, SERVICE_TYPE, services).await?;
    restart::expiry(&nodes, SERVICE_TYPE).await?;
    let mut changes = load(arguments, "change", &nodes.servers(), services);
    changes.arg("--keep");
    figures(&mut changes, arguments.change_seconds, services).await?;
    let after_changes = restart::measure(&mut nodes, SERVICE_TYPE, services).await?;
    Ok(Size {
        services,
        lookups,
        memory_mb,
        after_lookups,
        after_changes,
    })
}

/// Measures all repeats of the lookups, on the baseline and on quorate in turn. The last repeat on
/// quorate does not withdraw its announcements, because the restart that follows needs them.
async fn lookups(
    arguments: &SizesArguments,
    nodes: &Nodes,
    dir: &Path,
    services: u32,
) -> anyhow::Result<Vec<Lookups>> {
    let program = env::current_exe()?;
    let baselines = Baselines::start(&program, &dir.join("baseline"), Some(services)).await?;
    let mut lookups = Vec::new();
    for time in 1..=arguments.repeats {
        let mut on_baseline = load(arguments, "lookup", &baselines.servers.join(","), services);
        let baseline = figures(&mut on_baseline, arguments.seconds, services).await?;
        let mut on_quorate = load(arguments, "lookup", &nodes.servers(), services);
        if time == arguments.repeats {
            on_quorate.arg("--keep");
        }
        let quorate = figures(&mut on_quorate, arguments.seconds, services).await?;
        lookups.push(Lookups { quorate, baseline });
    }
    Ok(lookups)
}

/// Returns the command of a load generator that announces this number of services.
fn load(arguments: &SizesArguments, workload: &str, servers: &str, services: u32) -> Command {
    let of_nodes = services.min(NODES_MAX);
    let mut command = Command::new(&arguments.occasion.quorate);
    command
        .args(["bench", workload, "--json", "--of-type", SERVICE_TYPE])
        .args(["--server", servers])
        .args(["--clients", &arguments.clients.to_string()])
        .args(["--nodes", &of_nodes.to_string()])
        .args(["--services", &(services / of_nodes).to_string()]);
    command
}

async fn figures(command: &mut Command, seconds: u64, services: u32) -> anyhow::Result<Figures> {
    command.args(["--duration", &format!("{seconds}s")]);
    let figures = load::figures(command, Duration::from_secs(seconds)).await?;
    if !figures.errors.is_empty() {
        bail!("{services} services: {:?}", figures.errors);
    }
    Ok(figures)
}
