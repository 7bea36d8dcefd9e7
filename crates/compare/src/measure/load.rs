//! Runs a load generator and parses the figures that it prints.

use crate::measure::figures::Figures;
use anyhow::Context;
use std::time::Duration;
use tokio::process::Command;

/// Time after the expected end of a load at which the load generator is killed.
const OVERDUE: Duration = Duration::from_secs(120);

/// Runs the command of a load generator that is expected to take `lasts`, and returns its figures.
///
/// # Errors
/// Fails if the load does not end, or prints no figures. In the latter case the error contains what
/// the command wrote to stderr.
pub async fn figures(command: &mut Command, lasts: Duration) -> anyhow::Result<Figures> {
    let ended = tokio::time::timeout(lasts + OVERDUE, command.kill_on_drop(true).output())
        .await
        .context("the load does not end")??;
    // The exit code is ignored. A load with failed requests has an exit code other than 0, and its
    // figures count those requests.
    serde_json::from_slice(&ended.stdout)
        .with_context(|| String::from_utf8_lossy(&ended.stderr).trim().to_owned())
}
