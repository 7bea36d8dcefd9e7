//! What the writer and the store's handles share.

use super::database::Database;
use super::latch::Latch;
use super::snapshots::Snapshots;
use super::space::Space;
use super::view::LogView;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// What the writer and the store's handles share.
#[derive(Debug)]
pub(super) struct Shared {
    /// `None` once the store is closed.
    pub(super) database: RwLock<Option<Database>>,
    pub(super) latch: Latch,
    pub(super) space: Arc<Space>,
    pub(super) snapshots: Snapshots,
    /// Held for moments only, never over an operation of the disk.
    view: Mutex<LogView>,
}

impl Shared {
    pub(super) fn new(
        database: Database,
        latch: Latch,
        space: Arc<Space>,
        snapshots: Snapshots,
        view: LogView,
    ) -> Self {
        Self {
            database: RwLock::new(Some(database)),
            latch,
            space,
            snapshots,
            view: Mutex::new(view),
        }
    }

    pub(super) fn view(&self) -> MutexGuard<'_, LogView> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
