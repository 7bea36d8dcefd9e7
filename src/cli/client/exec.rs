//! `--exec`: runs a command for a coordinator.

use super::coordinator::CoordinatorLine;
use super::output;
use anyhow::Context;
use quorate::config::exit_code;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use tokio::task::{JoinHandle, spawn_blocking};

/// Base of the exit codes that a shell reports for a process ended by a signal.
const SIGNAL_BASE: i32 = 128;

/// Runs the command once, with this process's own input and output, and returns its exit code.
///
/// # Errors
/// Fails when there is no `sh`.
pub fn run_once(command: &str, coordinator: &CoordinatorLine) -> anyhow::Result<u8> {
    let status = prepared(command, coordinator)
        .status()
        .context("cannot run sh")?;
    Ok(code_of(status))
}

/// Returns `sh -c` with the command and the variables that describe the coordinator.
fn prepared(command: &str, coordinator: &CoordinatorLine) -> Command {
    let mut sh = Command::new("sh");
    sh.arg("-c").arg(command);
    let variables = [
        ("QUORATE_COORDINATOR", Some(&coordinator.uri)),
        ("QUORATE_COORDINATOR_NODE", coordinator.node_id.as_ref()),
        ("QUORATE_COORDINATOR_ENGINE", coordinator.engine.as_ref()),
    ];
    for (name, value) in variables {
        match value {
            Some(value) => sh.env(name, value),
            None => sh.env_remove(name),
        };
    }
    sh
}

/// Returns the exit code of an ended command, as a shell would report it.
fn code_of(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| Some(SIGNAL_BASE + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(exit_code::INTERNAL)
}

/// A command that runs for one coordinator after another.
///
/// - At most one run is active at a time.
/// - When a run ends, the next run is for the newest coordinator that was reported in the meantime.
///   If that is the coordinator of the ended run, there is no next run.
pub struct Hook {
    command: String,
    running: Option<JoinHandle<io::Result<ExitStatus>>>,
    /// The coordinator of the current or last run.
    served: Option<CoordinatorLine>,
    waiting: Option<CoordinatorLine>,
}

impl Hook {
    /// Creates a hook that has not run yet.
    pub fn new(command: &str) -> Hook {
        Hook {
            command: command.to_owned(),
            running: None,
            served: None,
            waiting: None,
        }
    }

    /// Runs the command for this coordinator, now or after the current run.
    pub fn run_for(&mut self, coordinator: CoordinatorLine) {
        if self.running.is_some() {
            self.waiting = Some(coordinator);
            return;
        }
        let mut command = prepared(&self.command, &coordinator);
        // The command may run at any time, so it has no interactive input.
        command.stdin(Stdio::null());
        self.running = Some(spawn_blocking(move || command.status()));
        self.served = Some(coordinator);
    }

    /// Waits until the current run has ended. Starts the next run if another coordinator was
    /// reported during the current run. This method is cancel safe.
    ///
    /// # Errors
    /// Fails when there is no `sh`.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        let Some(running) = &mut self.running else {
            return std::future::pending().await;
        };
        let joined = running.await;
        self.running = None;
        let status = joined
            .map_err(io::Error::other)
            .flatten()
            .context("cannot run sh")?;
        if !status.success() {
            output::notice(&format!("--exec: {status}"));
        }
        if let Some(next) = self.waiting.take()
            && self.served.as_ref() != Some(&next)
        {
            self.run_for(next);
        }
        Ok(())
    }
}
