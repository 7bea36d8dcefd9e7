//! Runs a load generator and parses the figures that it prints.

use crate::measure::figures::Figures;
use anyhow::Context;
use std::time::Duration;
use tokio::process::Command;

/// Time from the expected end of a load until the load generator is killed.
const OVERDUE: Duration = Duration::from_secs(120);

/// Runs the command of a load generator that is expected to take `lasts`, and returns its figures.
///
/// # Errors
/// Fails if the load does not end, or prints no figures. If it prints no figures, the error
/// contains the stderr output of the command.
pub async fn figures(command: &mut Command, lasts: Duration) -> anyhow::Result<Figures> {
    let ended = tokio::time::timeout(lasts + OVERDUE, command.kill_on_drop(true).output())
        .await
        .context("the load does not end")??;
    // The exit code is ignored. After failed requests it is not 0, but the figures are valid and
    // count the failed requests.
    serde_json::from_slice(&ended.stdout)
        .with_context(|| String::from_utf8_lossy(&ended.stderr).trim().to_owned())
}
