//! The state that the writer and the store's handles share.

use crate::db::database::Database;
use crate::fail_stop::FailStop;
use crate::log::view::LogView;
use crate::snapshots::directory::Snapshots;
use crate::space::Space;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// The state that the writer and the store's handles share.
#[derive(Debug)]
pub(crate) struct WriterState {
    /// The database; `None` once the store is closed.
    pub(crate) database: RwLock<Option<Database>>,
    pub(crate) fail_stop: FailStop,
    pub(crate) space: Arc<Space>,
    pub(crate) snapshots: Snapshots,
    /// The state of the log. It is locked only briefly, never during a disk operation.
    view: Mutex<LogView>,
}

impl WriterState {
    pub(crate) fn new(
        database: Database,
        fail_stop: FailStop,
        space: Arc<Space>,
        snapshots: Snapshots,
        view: LogView,
    ) -> Self {
        Self {
            database: RwLock::new(Some(database)),
            fail_stop,
            space,
            snapshots,
            view: Mutex::new(view),
        }
    }

    pub(crate) fn view(&self) -> MutexGuard<'_, LogView> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
