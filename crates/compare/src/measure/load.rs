//! A load generator that is run, and the figures that it prints.

use crate::measure::figures::Figures;
use anyhow::Context;
use std::time::Duration;
use tokio::process::Command;

/// A load that has not ended so long after it should have is given up.
const OVERDUE: Duration = Duration::from_secs(120);

/// What a load that is to last so long came to.
///
/// # Errors
/// When it does not end, or prints no figures: then what it said instead.
pub async fn figures(command: &mut Command, lasts: Duration) -> anyhow::Result<Figures> {
    let ended = tokio::time::timeout(lasts + OVERDUE, command.kill_on_drop(true).output())
        .await
        .context("the load does not end")??;
    // What failed is in its figures too, whatever it ends with.
    serde_json::from_slice(&ended.stdout)
        .with_context(|| String::from_utf8_lossy(&ended.stderr).trim().to_owned())
}
