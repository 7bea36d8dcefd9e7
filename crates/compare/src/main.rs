//! Measures quorate beside airlift's discovery server, etcd and the limit of the machine; `scripts/bench` builds them and runs it.
//!
//! | file | what it is for |
//! |---|---|
//! | `measure` | what is measured, of whom: loads, figures, the use of processor and memory |
//! | `peers` | how each of them is started and put under load |
//! | `baseline` | the limit: a server that hands out the same bytes and agrees with nobody |
//! | `report` | what quorate is held to, and what came of it, as a table and as files |
//! | `run` | the repeats, in turn |
//! | `against` | two builds in short slices in turn |
//! | `gaps` | how long writes stand still when a leader ends |
//! | `steady` | elections under a long load, of which there should be none |
//! | `sizes` | what a registry of each size costs |
//! | `idle` | what many connections that wait cost |
//! | `nodes`, `run_context` | the cluster of these four, and where their results go |
//! | `etc`, `machine` | the files of a node, and what this machine is |

mod against;
mod baseline;
mod etc;
mod gaps;
mod idle;
mod machine;
mod measure;
mod nodes;
mod peers;
mod report;
mod run;
mod run_context;
mod sizes;
mod steady;

use against::AgainstArguments;
use clap::{Parser, Subcommand};
use gaps::GapsArguments;
use idle::IdleArguments;
use run::RunArguments;
use sizes::SizesArguments;
use steady::SteadyArguments;
use tokio::signal::unix::{SignalKind, signal};

/// Measures quorate beside its peers, on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures all, and writes what came of it.
    Run(Box<RunArguments>),
    /// Compares two builds, and fails when the new one is slower.
    Against(AgainstArguments),
    /// Measures how long writes stand still when a leader ends.
    Gaps(GapsArguments),
    /// Puts a long load on a cluster, and counts the elections that nobody needs.
    Steady(SteadyArguments),
    /// Measures what a registry of each size costs.
    Sizes(SizesArguments),
    /// Measures what many connections that wait cost.
    Idle(IdleArguments),
    /// Serves as the limit does, until it is ended.
    Limit(baseline::LimitArguments),
}

/// Returns when somebody wants this to end.
async fn asked_to_stop() {
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        // Then the default is done, which leaves the nodes to themselves.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Run(arguments) => unless_stopped(run::run(*arguments)).await,
        Command::Against(arguments) => unless_stopped(against::run(arguments)).await,
        Command::Gaps(arguments) => unless_stopped(gaps::run(arguments)).await,
        Command::Steady(arguments) => unless_stopped(steady::run(arguments)).await,
        Command::Sizes(arguments) => unless_stopped(sizes::run(arguments)).await,
        Command::Idle(arguments) => unless_stopped(idle::run(arguments)).await,
        Command::Limit(arguments) => baseline::serve(arguments).await,
    }
}

async fn unless_stopped(done: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::select! {
        done = done => done,
        // Whatever was started ends with what is dropped.
        () = asked_to_stop() => anyhow::bail!("stopped before the end"),
    }
}
