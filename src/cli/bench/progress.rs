//! The progress of a load, on a terminal.

use super::figures::BenchFigures;
use indicatif::{ProgressBar, ProgressStyle};
use quorate::clock;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

const REDRAWN_EVERY: Duration = Duration::from_millis(200);

/// A progress bar on standard error; hidden if standard error is not a terminal.
pub struct ProgressLine {
    bar: ProgressBar,
    drawing: JoinHandle<()>,
}

impl ProgressLine {
    /// Shows the bar and keeps it up to date.
    pub fn start(length: Duration, figures: Arc<BenchFigures>) -> ProgressLine {
        let bar = ProgressBar::new(length.as_millis() as u64);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {msg}") {
            bar.set_style(style);
        }
        let drawn = bar.clone();
        let drawing = tokio::spawn(async move {
            let began = clock::now();
            let mut pace = tokio::time::interval(REDRAWN_EVERY);
            loop {
                pace.tick().await;
                drawn.set_position(began.elapsed().as_millis() as u64);
                drawn.set_message(format!("{} served", figures.served()));
            }
        });
        ProgressLine { bar, drawing }
    }

    /// Removes the bar.
    pub fn finish(self) {
        self.drawing.abort();
        self.bar.finish_and_clear();
    }
}
