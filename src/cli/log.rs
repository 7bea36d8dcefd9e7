//! `quorate log`: prints the committed log of a stopped node, one entry per line.

use super::client::output;
use anyhow::anyhow;
use clap::Parser;
use quorate::raft::{CommittedEntry, EntryContent, EntryEffect, committed_log};
use quorate::registry::{Arrival, Change, Command, Outcome};
use quorate::storage::{OpenError, OsFs, Store};
use quorate::{config, server};
use serde_json::{Value, json};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Print the committed log of a stopped node as JSON: one entry per line, with its outcome.
#[derive(Debug, Parser)]
#[command(name = "quorate log", bin_name = "quorate log", version)]
pub struct LogArguments {
    /// Data directory of the node (node.data-dir).
    data_dir: PathBuf,
}

/// Runs the command and returns the exit code. It fails if the directory is not a data directory,
/// is in use, or is damaged.
pub fn run(arguments: &LogArguments) -> u8 {
    match print(arguments) {
        Ok(()) => config::exit_code::OK,
        Err((code, error)) => {
            output::print_error(&format!("{error:#}"));
            code
        }
    }
}

/// Opens the stopped node's store and prints each committed entry. An error comes with the exit
/// code.
fn print(arguments: &LogArguments) -> Result<(), (u8, anyhow::Error)> {
    let dir = arguments.data_dir.join(server::RAFT_DIR);
    // Opening a missing directory would create it.
    if !dir.is_dir() {
        let dir = arguments.data_dir.display();
        let problem = anyhow!("{dir} is not a data directory: it contains no data of a node");
        return Err((config::exit_code::DATA_UNUSABLE, problem));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| (config::exit_code::INTERNAL, error.into()))?;
    let store = Store::open(Arc::new(OsFs), &dir).map_err(refused)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let read = runtime.block_on(committed_log(&store, |entry| {
        if written.is_ok() {
            written = writeln!(out, "{}", line(&entry));
        }
    }));
    runtime.block_on(store.close());
    read.map_err(|error| (config::exit_code::DATA_CORRUPT, error.into()))?;
    match written.and_then(|()| out.flush()) {
        // The reader closed the pipe early, which is not an error.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err((config::exit_code::INTERNAL, error.into())),
        Ok(()) => Ok(()),
    }
}

/// Returns the exit code and the error for a store that cannot be opened.
fn refused(error: OpenError) -> (u8, anyhow::Error) {
    let in_use = matches!(error, OpenError::InUse { .. });
    let error = anyhow::Error::from(error);
    let exit_code = server::exit_code_of(&error);
    match in_use {
        true => (exit_code, anyhow!("{error}; stop the node first")),
        false => (exit_code, error),
    }
}

/// Returns one entry as JSON, with its outcomes and changes.
fn line(entry: &CommittedEntry) -> Value {
    let mut line = json!({ "index": entry.index, "term": entry.term });
    match &entry.content {
        EntryContent::Blank => {}
        EntryContent::Membership(members) => line["membership"] = json!(members),
        EntryContent::Commands(commands) => {
            line["commands"] = commands.iter().map(command).collect();
        }
    }
    if let Some(EntryEffect { outcomes, changes }) = &entry.effect {
        line["outcomes"] = outcomes.iter().map(outcome).collect();
        line["changes"] = changes.iter().map(change).collect();
    }
    line
}

/// Renders a command as JSON.
fn command(command: &Command) -> Value {
    match command {
        Command::Announce { seen, announcement } => {
            json!({ "announce": announcement, "seen": seen })
        }
        Command::Withdraw { seen, node_id } => json!({ "withdraw": node_id, "seen": seen }),
        Command::Renew {
            seen,
            node_id,
            digest,
        } => json!({ "renew": node_id, "seen": seen, "digest": format!("{digest:032x}") }),
        Command::AddStatic(service) => json!({ "addStatic": service }),
        Command::RemoveStatic { id } => json!({ "removeStatic": id }),
        Command::Tick {
            advance_ms,
            grace_ms,
        } => json!({ "tick": { "advanceMs": advance_ms, "graceMs": grace_ms } }),
        Command::Retire { raft_ids } => json!({ "retire": raft_ids }),
        Command::Level(level) => json!({ "level": level }),
        Command::OrderedAnnounce {
            arrival,
            announcement,
        } => json!({ "announce": announcement, "arrival": arrival_of(arrival) }),
        Command::OrderedWithdraw { arrival, node_id } => {
            json!({ "withdraw": node_id, "arrival": arrival_of(arrival) })
        }
        Command::OrderedRenew {
            arrival,
            node_id,
            digest,
        } => {
            json!({
                "renew": node_id,
                "arrival": arrival_of(arrival),
                "digest": format!("{digest:032x}"),
            })
        }
    }
}

/// Renders the [`Arrival`] of a write as JSON.
fn arrival_of(arrival: &Arrival) -> Value {
    json!({
        "committed": arrival.committed,
        "tail": arrival.tail.map(|tail| {
            json!({ "term": tail.leadership.term, "index": tail.index })
        }),
        "previous": arrival.previous,
        "untilMs": arrival.until_ms,
    })
}

/// Renders the outcome of a command as JSON.
fn outcome(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Applied => json!("applied"),
        Outcome::Superseded => json!("overtaken"),
        Outcome::NotRegistered => json!("notHeld"),
        Outcome::CapacityExceeded => json!("full"),
        Outcome::OverLimit => json!("overLimit"),
        Outcome::Expired(nodes) => json!({ "expired": nodes }),
    }
}

/// Renders a change of a type and pool as JSON: the services removed, and those added or changed.
fn change(change: &Change) -> Value {
    let list = |json: &[u8]| {
        serde_json::from_slice::<Value>(&[b"[", json, b"]"].concat()).unwrap_or(Value::Null)
    };
    json!({
        "type": change.service_type,
        "pool": change.pool,
        "removed": list(&change.removed),
        "services": list(&change.services),
    })
}
