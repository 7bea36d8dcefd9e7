//! The events that end a connection from the server's side.

use crate::http::state::stopped;
use tokio::sync::watch;

/// The events that end a connection once its current request is answered.
#[derive(Clone)]
pub(super) struct Shutdown {
    /// A flag that becomes true when the server stops.
    pub(super) stopping: watch::Receiver<bool>,
    /// The `PauseDetector` epoch, which changes when the process resumes from a suspension.
    pub(super) resumes: watch::Receiver<u64>,
}

impl Shutdown {
    /// Waits until the server stops.
    pub(super) async fn stopping(&self) {
        stopped(&mut self.stopping.clone()).await;
    }

    /// Waits until the process has resumed from a suspension after `opened_epoch`.
    pub(super) async fn resumed(&self, opened_epoch: u64) {
        let _ = self
            .resumes
            .clone()
            .wait_for(|epoch| *epoch != opened_epoch)
            .await;
    }
}
