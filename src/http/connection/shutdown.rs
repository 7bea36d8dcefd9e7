//! The events that end a connection from the server's side.

use tokio::sync::watch;

/// The state of the server, as far as it ends connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServerPhase {
    /// Whether the server stops.
    pub(super) is_stopping: bool,
    /// The `PauseDetector` epoch, which increases when the process resumes from a suspension.
    pub(super) epoch: u64,
}

/// The events that end a connection once its current request is answered. Both are in one channel,
/// because each of ten thousand idle connections waits for them.
#[derive(Clone)]
pub(super) struct Shutdown(watch::Receiver<ServerPhase>);

impl Shutdown {
    /// Creates the sender of the server's state, and the receiver that all connections share.
    pub(super) fn channel(epoch: u64) -> (watch::Sender<ServerPhase>, Shutdown) {
        let (sender, receiver) = watch::channel(ServerPhase {
            is_stopping: false,
            epoch,
        });
        (sender, Shutdown(receiver))
    }

    /// Waits until the server stops.
    pub(super) async fn stopping(&self) {
        self.reached(|phase| phase.is_stopping).await;
    }

    /// Waits until the process has resumed from a suspension after `opened_epoch`.
    pub(super) async fn resumed(&self, opened_epoch: u64) {
        self.reached(|phase| phase.epoch > opened_epoch).await;
    }

    /// Waits until the server stops, or the process has resumed from a suspension after
    /// `opened_epoch`.
    pub(super) async fn ended(&self, opened_epoch: u64) {
        self.reached(|phase| phase.is_stopping || phase.epoch > opened_epoch)
            .await;
    }

    /// Waits for a state. If the sender was dropped, the server has already ended, which counts as
    /// every state.
    async fn reached(&self, is_reached: impl FnMut(&ServerPhase) -> bool) {
        let _ = self.0.clone().wait_for(is_reached).await;
    }
}
