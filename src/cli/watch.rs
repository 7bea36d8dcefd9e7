//! `quorate watch`: prints the announced services, and each change as it happens.

use super::client::failover::{FailoverClient, Timeouts};
use super::client::output;
use super::client::query::{Query, ServerList, name};
use super::client::sse::{EventReader, Resume, SseEvent};
use anyhow::Context;
use clap::Parser;
use quorate::config::exit_code;
use serde::Serialize;
use serde_json::value::RawValue;

/// Print the services of a type, then each change until stopped: one line of JSON per event.
#[derive(Debug, Parser)]
#[command(name = "quorate watch", bin_name = "quorate watch", version)]
pub struct WatchArguments {
    /// Type of the services, such as `trino`, `presto` or `trino-coordinator`.
    #[arg(value_name = "TYPE", value_parser = name)]
    of_type: String,
    /// Pool of the services, such as `general`.
    #[arg(value_parser = name)]
    pool: Option<String>,
    #[command(flatten)]
    servers: ServerList,
}

#[derive(Serialize)]
struct WatchLine<'a> {
    event: &'a str,
    id: Option<&'a str>,
    data: &'a RawValue,
}

/// Runs the command until the reader of its output has closed the pipe.
///
/// # Errors
/// Fails when no server knows the endpoint, or the output cannot be written.
pub async fn run(arguments: &WatchArguments) -> anyhow::Result<u8> {
    let failover = FailoverClient::new(
        &arguments.servers.server,
        arguments.servers.client_builder()?,
        Timeouts::default(),
    )?;
    let segments = ["v1", "watch", &arguments.of_type];
    let query = Query::of(segments.into_iter().chain(arguments.pool.as_deref()));
    let mut events = EventReader::new(failover, query, Resume::AfterLast);
    let print = async {
        loop {
            output::line(&line(&events.next().await?)?)?;
        }
    };
    tokio::select! {
        ended = print => ended,
        () = output::reader_gone() => Ok(exit_code::OK),
    }
}

fn line(event: &SseEvent) -> anyhow::Result<String> {
    let line = serde_json::to_string(&WatchLine {
        event: &event.kind,
        id: event.id.as_deref(),
        data: &event.data,
    });
    line.context("cannot format an event")
}
