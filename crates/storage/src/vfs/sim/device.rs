//! A simulated device that outlives the processes that use it, and whose power can be cut.

use super::crash::{Crash, CrashRandom};
use super::state::SimFs;
use crate::vfs::interface::Vfs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A device whose content survives a process.
///
/// - Changes that callers rely on ([`Device::rely_on`]) survive every power cut.
/// - A power cut may fall between any two operations after these changes. Any part of the unsynced
///   changes may survive the power cut.
#[derive(Debug, Clone)]
pub struct Device {
    state: Arc<Mutex<DeviceState>>,
}

#[derive(Debug)]
struct DeviceState {
    fs: SimFs,
    /// The state of the device after all operations up to `relied`.
    base: Crash,
    /// The number of operations that callers rely on.
    relied: usize,
    capacity_bytes: u64,
    /// Whether the device skips syncs but reports them as successful.
    lies: bool,
}

impl Device {
    /// Returns an empty device of this size.
    pub fn new(capacity_bytes: u64) -> Self {
        let state = DeviceState {
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

    /// Makes the device skip all later syncs but report them as successful. This is an injected
    /// bug.
    pub fn lie(&self) {
        self.state().lies = true;
    }

    /// Returns the file system of the device, as the next process sees it.
    pub fn vfs(&self) -> Arc<dyn Vfs> {
        Arc::new(self.state().fs.clone())
    }

    /// Returns the number of operations that the device has seen since it was created, or since its
    /// power was cut.
    pub fn position(&self) -> usize {
        let state = self.state();
        state.relied + state.fs.change_count()
    }

    /// Records that a caller relies on the operations up to `position`.
    pub fn rely_on(&self, position: usize) {
        let mut state = self.state();
        if state.lies || position <= state.relied {
            return;
        }
        let settled = state.fs.take_changes(position - state.relied);
        state.base.take_all(&settled);
        state.relied = position;
    }

    /// Cuts the power, after which the device has one of the images that the power cut can leave.
    /// No process may be using the device. Returns the number of operations that callers did not
    /// rely on yet.
    pub fn cut_power(&self, seed: u64) -> usize {
        let mut state = self.state();
        let mut random = CrashRandom(seed | 1);
        let changes = state.fs.changes();
        let cut = random.below(changes.len() + 1);
        let mut crash = std::mem::take(&mut state.base);
        crash.take_all(&changes[..cut]);
        let image = crash.one_image(&mut random);
        state.base = Crash::after(&image);
        state.fs = SimFs::of_image(image, state.capacity_bytes, true);
        state.relied = 0;
        changes.len()
    }

    /// Erases the device. No process may be using the device.
    pub fn empty(&self) {
        let mut state = self.state();
        state.fs = SimFs::new(state.capacity_bytes);
        state.base = Crash::default();
        state.relied = 0;
    }

    fn state(&self) -> MutexGuard<'_, DeviceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
