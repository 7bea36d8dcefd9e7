//! `--exec`: a command that is run for a coordinator.

use super::coordinator::Coordinator;
use super::output;
use anyhow::Context;
use quorate::config::exit_code;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use tokio::task::{JoinHandle, spawn_blocking};

/// The first of the exit codes that a shell gives to a process ended by a signal.
const SIGNAL_BASE: i32 = 128;

/// Runs it once, with this process's own input and output, and returns its exit code.
///
/// # Errors
/// When there is no `sh`.
pub fn run_once(command: &str, coordinator: &Coordinator) -> anyhow::Result<u8> {
    let status = prepared(command, coordinator)
        .status()
        .context("cannot run sh")?;
    Ok(code_of(status))
}

fn prepared(command: &str, coordinator: &Coordinator) -> Command {
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

fn code_of(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| Some(SIGNAL_BASE + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(exit_code::INTERNAL)
}

/// Runs it for one coordinator after the other.
///
/// - Never twice at a time.
/// - Of those that came while it ran only the newest counts, and only when it is another than the one it ran for.
pub struct Hook {
    command: String,
    running: Option<JoinHandle<io::Result<ExitStatus>>>,
    /// Whom it ran for last, or runs for.
    served: Option<Coordinator>,
    waiting: Option<Coordinator>,
}

impl Hook {
    /// Runs nothing yet.
    pub fn new(command: &str) -> Hook {
        Hook {
            command: command.to_owned(),
            running: None,
            served: None,
            waiting: None,
        }
    }

    /// Runs it for this coordinator, now or once the present run has ended.
    pub fn run_for(&mut self, coordinator: Coordinator) {
        if self.running.is_some() {
            self.waiting = Some(coordinator);
            return;
        }
        let mut command = prepared(&self.command, &coordinator);
        // Nobody types for a command that runs at any time.
        command.stdin(Stdio::null());
        self.running = Some(spawn_blocking(move || command.status()));
        self.served = Some(coordinator);
    }

    /// Returns after a run has ended, with the next one begun when there is a reason. Safe to cancel.
    ///
    /// # Errors
    /// When there is no `sh`.
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
