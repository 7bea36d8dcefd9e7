//! Execution of blocking work: on threads, or as tasks in a simulation.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinError;

/// The timing of a simulated disk, and a record of the changes that callers rely on.
pub trait SimDisk: Debug + Send + Sync + 'static {
    /// Returns the number of changes that the disk has seen.
    fn position(&self) -> usize;
    /// Returns the duration of the next operation.
    fn delay(&self) -> Duration;
    /// Records that callers rely on the changes up to `position`.
    fn rely_on(&self, position: usize);
}

/// The executor of a store's blocking work.
#[derive(Debug, Clone, Default)]
pub enum BlockingExecutor {
    /// Execution on separate threads.
    #[default]
    Threads,
    /// Execution on the caller's runtime, which the work blocks. This variant is only for
    /// simulations, in which the work is short because the disk is in memory.
    Tasks(Arc<dyn SimDisk>),
}

impl BlockingExecutor {
    /// Runs blocking work.
    ///
    /// # Errors
    /// Returns an error if the work panicked, or the runtime is shutting down.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        match self {
            BlockingExecutor::Threads => tokio::task::spawn_blocking(work).await,
            BlockingExecutor::Tasks(disk) => {
                let before = disk.position();
                let done = work();
                if disk.position() > before {
                    await_durable(disk).await;
                }
                Ok(done)
            }
        }
    }
}

/// Waits for the disk's delay, and then marks the written changes as relied on. A crash during the
/// delay may lose the changes, because nothing was acknowledged yet.
pub(crate) async fn await_durable(disk: &Arc<dyn SimDisk>) {
    let position = disk.position();
    tokio::time::sleep(disk.delay()).await;
    disk.rely_on(position);
}
