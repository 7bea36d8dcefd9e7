//! Disks, networks, name servers and clocks that fail on demand.

pub mod failing_disk;
pub mod network;
pub mod power_cut;
pub mod preloaded;
pub mod resolver;
pub mod small_disk;
pub mod stopped_clock;
pub mod wrong_clock;
