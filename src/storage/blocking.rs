//! Where blocking work runs: on threads, or in a simulation as tasks.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinError;

/// The time that a simulated disk takes, and what of it was relied on.
pub trait Pace: Debug + Send + Sync + 'static {
    /// How many changes the disk has seen.
    fn position(&self) -> usize;
    /// How long the next operation takes.
    fn delay(&self) -> Duration;
    /// Whoever asked for the changes up to here is told that they are durable.
    fn rely_on(&self, position: usize);
}

/// Where a store's blocking work runs.
#[derive(Debug, Clone, Default)]
pub enum Work {
    /// On threads of their own.
    #[default]
    Threads,
    /// On the caller's runtime, which stands still meanwhile; only for a simulation, whose disk is in memory.
    Tasks(Arc<dyn Pace>),
}

impl Work {
    /// Runs what may block.
    ///
    /// # Errors
    /// When it panicked, or the runtime ends.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        match self {
            Work::Threads => tokio::task::spawn_blocking(work).await,
            Work::Tasks(pace) => {
                let before = pace.position();
                let done = work();
                if pace.position() > before {
                    settle(pace).await;
                }
                Ok(done)
            }
        }
    }
}

/// Lets the disk's time pass, after which what was written is relied on. A crash meanwhile finds it unacknowledged.
pub(crate) async fn settle(pace: &Arc<dyn Pace>) {
    let position = pace.position();
    tokio::time::sleep(pace.delay()).await;
    pace.rely_on(position);
}
