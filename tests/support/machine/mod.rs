//! The parts of a machine that fail on demand: disks, networks, name servers and clocks.

pub mod failing_disk;
pub mod network;
pub mod power_cut;
pub mod preloaded;
pub mod resolver;
pub mod small_disk;
pub mod stopped_clock;
pub mod wrong_clock;
