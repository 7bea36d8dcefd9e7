//! The commands that query a running cluster, or read a stopped node's log.
//!
//! Each command has a module and arguments of its own, and `client` holds the shared code. The
//! options of airlift's launcher do not apply to these commands.

pub mod args;
mod bench;
mod client;
mod cluster;
mod coordinator;
pub mod launcher;
mod log;
mod services;
mod token;
mod watch;

#[cfg(test)]
#[expect(
    dead_code,
    reason = "these tests see requests come in by what is answered"
)]
#[path = "../../tests/support/fake_server.rs"]
mod fake_server;

use clap::Parser;
use client::error::exit_code_of;
use client::output;
use quorate::config::exit_code;
use std::ffi::OsString;
use tokio::runtime::Builder;

/// Runs the command that `words` names after the program's own name, and returns its exit code.
/// Returns `None` for a command of the launcher and for an unknown command.
pub fn run(words: &[OsString]) -> Option<u8> {
    let (program, rest) = words.split_first()?;
    let (name, options) = rest.split_first()?;
    let words = std::iter::once(program).chain(options);
    Some(match name.to_str()? {
        "bench" => finish_on(
            Builder::new_multi_thread(),
            bench::run(&bench::BenchArguments::parse_from(words)),
        ),
        "cluster" => finish(cluster::run(&cluster::ClusterArguments::parse_from(words))),
        "coordinator" => finish(coordinator::run(
            &coordinator::CoordinatorArguments::parse_from(words),
        )),
        "log" => log::run(&log::LogArguments::parse_from(words)),
        "services" => finish(services::run(&services::ServicesArguments::parse_from(
            words,
        ))),
        "token" => finish(token::run(&token::TokenArguments::parse_from(words))),
        "watch" => finish(watch::run(&watch::WatchArguments::parse_from(words))),
        _ => return None,
    })
}

/// Runs a command to completion on one thread, prints its error, and returns the exit code.
fn finish(command: impl Future<Output = anyhow::Result<u8>>) -> u8 {
    finish_on(Builder::new_current_thread(), command)
}

fn finish_on(mut threads: Builder, command: impl Future<Output = anyhow::Result<u8>>) -> u8 {
    let runtime = match threads.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::print_error(&format!("cannot start the runtime: {error}"));
            return exit_code::INTERNAL;
        }
    };
    let ended = runtime.block_on(command);
    // A DNS lookup that hangs may block a thread of the runtime. This call does not wait for that
    // thread, because the wait would delay the exit.
    runtime.shutdown_background();
    ended.unwrap_or_else(|error| {
        let code = exit_code_of(&error);
        if code != exit_code::OK {
            format!("{error:#}").lines().for_each(output::print_error);
        }
        code
    })
}
