//! Simulated latency of a device.

use crate::rng::Chance;
use quorate::storage::{Device, SimDisk};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A device with latency.
#[derive(Debug)]
pub struct Paced {
    device: Device,
    slowest_ms: u64,
    chance: Mutex<Chance>,
}

impl Paced {
    /// Creates a device whose operations take up to `slowest_ms` each.
    pub fn new(device: Device, slowest_ms: u64, chance: Chance) -> Paced {
        Paced {
            device,
            slowest_ms,
            chance: Mutex::new(chance),
        }
    }
}

impl SimDisk for Paced {
    fn position(&self) -> usize {
        self.device.position()
    }

    fn delay(&self) -> Duration {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        chance.between_ms(0, self.slowest_ms)
    }

    fn rely_on(&self, position: usize) {
        self.device.rely_on(position);
    }
}
