//! `quorate coordinator`: prints the coordinator's address, once or whenever it changes.

use super::client::coordinator::CoordinatorLine;
use super::client::exec::{self, Hook};
use super::client::failover::{FailoverClient, Timeouts};
use super::client::output::{self, one_line};
use super::client::query::{Query, ServerList, name, time_limit};
use super::client::sse::{BreakReason, EventReader, Resume, SseEvent};
use clap::Parser;
use quorate::config::exit_code;
use serde::Deserialize;
use std::pin::pin;
use std::time::Duration;

/// Print the address of the current coordinator, as in `trino --server $(quorate coordinator)`.
#[derive(Debug, Parser)]
#[command(
    name = "quorate coordinator",
    bin_name = "quorate coordinator",
    version
)]
pub struct CoordinatorArguments {
    #[command(flatten)]
    servers: ServerList,
    /// Consider only coordinators of this engine.
    #[arg(long, value_parser = ["presto", "trino"])]
    engine: Option<String>,
    /// Consider only coordinators of this pool.
    #[arg(long, value_parser = name)]
    pool: Option<String>,
    /// Print all coordinators, best first: one per line, or with --watch all on one line.
    #[arg(long)]
    all: bool,
    /// Print everything that is known about the coordinator, as JSON.
    #[arg(long)]
    json: bool,
    /// Print the coordinator now and whenever it changes, until stopped.
    #[arg(long)]
    watch: bool,
    /// Instead of printing, run `sh -c CMD` with QUORATE_COORDINATOR, QUORATE_COORDINATOR_NODE and
    /// QUORATE_COORDINATOR_ENGINE set: once, or with --watch for each new coordinator.
    #[arg(long, value_name = "CMD", conflicts_with_all = ["all", "json"])]
    exec: Option<String>,
    /// Maximum time to wait for a coordinator; exit with code 19 on a timeout.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10s",
        value_parser = time_limit,
        conflicts_with = "watch"
    )]
    timeout: Duration,
}

/// The response to a request for all coordinators.
#[derive(Deserialize)]
struct AllCoordinators {
    coordinators: Vec<CoordinatorLine>,
}

/// Parses the coordinators in a JSON response, best first. An empty list is an error.
fn coordinators(json: &str, all: bool) -> Result<Vec<CoordinatorLine>, String> {
    let read = if all {
        serde_json::from_str::<AllCoordinators>(json).map(|all| all.coordinators)
    } else {
        serde_json::from_str(json).map(|one| vec![one])
    };
    let found = read.map_err(|error| format!("the response is not a coordinator: {error}"))?;
    if found.is_empty() {
        return Err("the response names no coordinator".to_owned());
    }
    Ok(found)
}

/// Runs the command and returns the exit code.
///
/// # Errors
/// Fails when no server can answer, when the output cannot be written, or when the `--exec` command
/// cannot be run.
pub async fn run(arguments: &CoordinatorArguments) -> anyhow::Result<u8> {
    let failover = FailoverClient::new(
        &arguments.servers.server,
        arguments.servers.client_builder()?,
        Timeouts::default(),
    )?;
    let query = Query::of(["v1", "coordinator"])
        .with("engine", arguments.engine.as_deref())
        .with("pool", arguments.pool.as_deref())
        .flag("all", arguments.all)
        .flag("watch", arguments.watch);
    if arguments.watch {
        let events = EventReader::new(failover, query, Resume::Anew);
        return follow(arguments, events).await;
    }
    once(arguments, failover, &query).await
}

/// Prints the current coordinator, or runs the `--exec` command for it, once.
async fn once(
    arguments: &CoordinatorArguments,
    mut failover: FailoverClient,
    query: &Query,
) -> anyhow::Result<u8> {
    let read = |text: &str| Ok((text.to_owned(), coordinators(text, arguments.all)?));
    let (json, found) = failover.ask(query, arguments.timeout, read).await?;
    if let (Some(command), Some(best)) = (&arguments.exec, found.first()) {
        return exec::run_once(command, best);
    }
    let words: Vec<String> = found.iter().map(CoordinatorLine::word).collect();
    output::line(&if arguments.json {
        json.trim_end().to_owned()
    } else {
        words.join("\n")
    })?;
    Ok(exit_code::OK)
}

/// Prints the coordinator, or runs the `--exec` command, now and after each change.
async fn follow(arguments: &CoordinatorArguments, mut events: EventReader) -> anyhow::Result<u8> {
    let mut known = LastCoordinator::default();
    let mut hook = arguments.exec.as_deref().map(Hook::new);
    let prints = hook.is_none();
    let mut reader_gone = pin!(output::reader_gone());
    loop {
        let event = {
            // The future is created outside the inner loop, so that the end of an `--exec` run does
            // not cancel a connection attempt.
            let mut next = pin!(events.next());
            loop {
                tokio::select! {
                    event = &mut next => break event?,
                    ended = ended(&mut hook) => ended?,
                    () = &mut reader_gone, if prints => return Ok(exit_code::OK),
                }
            }
        };
        match known.take_in(&event, arguments) {
            Some(CoordinatorNews::Are(found)) => match (&mut hook, found.into_iter().next()) {
                (Some(hook), Some(best)) => hook.run_for(best),
                _ => output::line(&known.line)?,
            },
            Some(CoordinatorNews::None(reason)) => output::notice(&reason),
            None => {}
        }
    }
}

async fn ended(hook: &mut Option<Hook>) -> anyhow::Result<()> {
    match hook {
        Some(hook) => hook.ended().await,
        None => std::future::pending().await,
    }
}

/// A change of state that an event reports.
#[derive(Debug, Clone, PartialEq, Eq)]
enum CoordinatorNews {
    /// The coordinators, best first.
    Are(Vec<CoordinatorLine>),
    /// There is no coordinator, for this reason.
    None(String),
}

/// The last known state of the coordinator. After a failover, the next server sends the state
/// again, which is not a change.
#[derive(Debug, Default)]
struct LastCoordinator {
    state: Option<CoordinatorNews>,
    /// The line that is printed for the state.
    line: String,
}

impl LastCoordinator {
    /// Returns the state that an event reports. Returns `None` if neither the state nor its line
    /// has changed, or if the event is unknown or invalid.
    fn take_in(
        &mut self,
        event: &SseEvent,
        arguments: &CoordinatorArguments,
    ) -> Option<CoordinatorNews> {
        let json = event.data.get();
        let (state, line) = match event.kind.as_str() {
            "coordinator" => {
                let found = coordinators(json, arguments.all)
                    .inspect_err(|why| output::notice(&format!("ignoring an event: {why}")))
                    .ok()?;
                let words: Vec<String> = found.iter().map(CoordinatorLine::word).collect();
                let line = if arguments.json {
                    json.to_owned()
                } else {
                    words.join(" ")
                };
                (CoordinatorNews::Are(found), line)
            }
            "none" => {
                let reason = serde_json::from_str::<BreakReason>(json).map_or_else(
                    |_| "no coordinator".to_owned(),
                    |none| one_line(&none.reason),
                );
                (CoordinatorNews::None(reason.clone()), reason)
            }
            // An unknown event comes from a later release and is ignored.
            _ => return None,
        };
        if self.state.as_ref() == Some(&state) && self.line == line {
            return None;
        }
        self.line = line;
        self.state = Some(state.clone());
        Some(state)
    }
}

#[cfg(test)]
mod tests;
