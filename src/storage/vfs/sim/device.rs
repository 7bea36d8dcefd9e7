//! A simulated device that outlives the processes on it, and may lose its power.

use super::crash::{Crash, Random};
use super::state::SimFs;
use crate::storage::vfs::interface::Vfs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A device whose content survives a process, and of which a power cut leaves what it must and nothing more.
///
/// - What was relied on ([`Device::rely_on`]) is there after every cut.
/// - Of what came after it, a cut may fall between any two operations, and any part of the unsynced may be there.
#[derive(Debug, Clone)]
pub struct Device {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    fs: SimFs,
    /// What all operations up to `relied` have brought to the device.
    base: Crash,
    relied: usize,
    capacity_bytes: u64,
    lies: bool,
}

impl Device {
    /// An empty device of that size.
    pub fn new(capacity_bytes: u64) -> Self {
        let state = State {
            fs: SimFs::new(capacity_bytes),
            base: Crash::default(),
            relied: 0,
            capacity_bytes,
            lies: false,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// A planted error: from here on the device says that it synced, and did not.
    pub fn lie(&self) {
        self.state().lies = true;
    }

    /// Its file system, as the next process sees it.
    pub fn vfs(&self) -> Arc<dyn Vfs> {
        Arc::new(self.state().fs.clone())
    }

    /// How many operations it has seen since it was made, or since its power was cut.
    pub fn position(&self) -> usize {
        let state = self.state();
        state.relied + state.fs.journal_len()
    }

    /// Somebody was told that the operations up to here are durable.
    pub fn rely_on(&self, position: usize) {
        let mut state = self.state();
        if state.lies || position <= state.relied {
            return;
        }
        let settled = state.fs.take_journal(position - state.relied);
        state.base.take_all(&settled);
        state.relied = position;
    }

    /// Cuts the power: what is left is one of the images that the device may hold. Nobody may be using it.
    /// How many operations were not relied on yet.
    pub fn cut_power(&self, seed: u64) -> usize {
        let mut state = self.state();
        let mut random = Random(seed | 1);
        let journal = state.fs.journal();
        let cut = random.below(journal.len() + 1);
        let mut crash = std::mem::take(&mut state.base);
        crash.take_all(&journal[..cut]);
        let image = crash.one_image(&mut random);
        state.base = Crash::after(&image);
        state.fs = SimFs::of_image(image, state.capacity_bytes, true);
        state.relied = 0;
        journal.len()
    }

    /// Loses everything. Nobody may be using it.
    pub fn empty(&self) {
        let mut state = self.state();
        state.fs = SimFs::new(state.capacity_bytes);
        state.base = Crash::default();
        state.relied = 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
