//! Runs a load generator and parses the figures that it prints.

use crate::measure::figures::Figures;
use anyhow::Context;
use std::time::Duration;
use tokio::process::Command;

/// Time after the expected end of a load at which it is killed.
const OVERDUE: Duration = Duration::from_secs(120);

/// Runs a load that is expected to last `lasts`, and returns its figures.
///
/// # Errors
/// Fails if the load does not end, or prints no figures; then the error contains its stderr.
pub async fn figures(command: &mut Command, lasts: Duration) -> anyhow::Result<Figures> {
    let ended = tokio::time::timeout(lasts + OVERDUE, command.kill_on_drop(true).output())
        .await
        .context("the load does not end")??;
    // The exit code is ignored: the figures contain the failed requests too.
    serde_json::from_slice(&ended.stdout)
        .with_context(|| String::from_utf8_lossy(&ended.stderr).trim().to_owned())
}
