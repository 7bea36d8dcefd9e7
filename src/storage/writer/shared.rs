//! What the writer and the store's handles share.

use crate::storage::db::database::Database;
use crate::storage::fail_stop::Latch;
use crate::storage::log::view::LogView;
use crate::storage::snapshots::directory::Snapshots;
use crate::storage::space::Space;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// What the writer and the store's handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// `None` once the store is closed.
    pub(crate) database: RwLock<Option<Database>>,
    pub(crate) latch: Latch,
    pub(crate) space: Arc<Space>,
    pub(crate) snapshots: Snapshots,
    /// Held for moments only, never over an operation of the disk.
    view: Mutex<LogView>,
}

impl Shared {
    pub(crate) fn new(
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

    pub(crate) fn view(&self) -> MutexGuard<'_, LogView> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
