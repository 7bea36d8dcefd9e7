//! Measures quorate beside airlift's discovery server, etcd and the baseline, which is a server
//! without replication. `scripts/bench` builds all of them and runs this program.
//!
//! | file | purpose |
//! |---|---|
//! | `measure` | the loads, the servers that each is run on, figures, processor and memory usage |
//! | `peers` | starts each server and puts load on it |
//! | `baseline` | the upper bound: an axum server that returns the same bytes without replication |
//! | `report` | the performance goals and the results, as a table and as files |
//! | `run` | a whole run: all loads, repeated, on each server in turn |
//! | `against` | compares two builds in short alternating slices |
//! | `secured` | the cost of HTTPS, of engines' tokens and of TLS between nodes |
//! | `gaps` | duration of a write outage after the leader is killed or stopped |
//! | `steady` | elections under a long load; there should be none |
//! | `sizes` | the cost of a registry of each size |
//! | `idle` | the cost of many idle connections |
//! | `nodes`, `run_context` | cluster and result files of these measurements |
//! | `etc`, `machine` | the files of a node, a description of this machine |

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
mod secured;
mod sizes;
mod steady;

use against::AgainstArguments;
use clap::{Parser, Subcommand};
use gaps::GapsArguments;
use idle::IdleArguments;
use run::RunArguments;
use secured::SecuredArguments;
use sizes::SizesArguments;
use steady::SteadyArguments;
use tokio::signal::unix::{SignalKind, signal};

/// Benchmark quorate beside its peers on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: CompareCommand,
}

#[derive(Debug, Subcommand)]
enum CompareCommand {
    /// Run all loads on all servers, and write the results.
    Run(Box<RunArguments>),
    /// Compare two builds, and fail if the new one is slower.
    Against(AgainstArguments),
    /// Measure what security costs, and fail if it costs more than its goals allow.
    Secured(SecuredArguments),
    /// Measure the write outage after the leader is killed or stopped.
    Gaps(GapsArguments),
    /// Put a long load on a healthy cluster, and fail if there is an election.
    Steady(SteadyArguments),
    /// Measure the cost of a registry of each size.
    Sizes(SizesArguments),
    /// Measure the cost of many idle connections.
    Idle(IdleArguments),
    /// Run one server of the baseline until it is terminated.
    #[command(name = "limit")]
    Baseline(baseline::BaselineArguments),
}

/// Waits for SIGINT, SIGTERM or SIGHUP.
async fn asked_to_stop() {
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        // A handler cannot be installed, so the default action of its signal remains in effect. The
        // signal ends this process at once, and may leave the nodes running.
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
        CompareCommand::Run(arguments) => unless_stopped(run::run(*arguments)).await,
        CompareCommand::Against(arguments) => unless_stopped(against::run(arguments)).await,
        CompareCommand::Secured(arguments) => unless_stopped(secured::run(arguments)).await,
        CompareCommand::Gaps(arguments) => unless_stopped(gaps::run(arguments)).await,
        CompareCommand::Steady(arguments) => unless_stopped(steady::run(arguments)).await,
        CompareCommand::Sizes(arguments) => unless_stopped(sizes::run(arguments)).await,
        CompareCommand::Idle(arguments) => unless_stopped(idle::run(arguments)).await,
        CompareCommand::Baseline(arguments) => baseline::serve(arguments).await,
    }
}

/// Runs a measurement, and fails if a signal to stop arrives before its end.
async fn unless_stopped(done: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::select! {
        done = done => done,
        // Dropping `done` kills the processes that it has started.
        () = asked_to_stop() => anyhow::bail!("stopped by a signal before the end"),
    }
}
