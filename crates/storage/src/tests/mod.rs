//! Tests of the store: openraft's own suite, a simulated disk, and bit flips.

mod crash;
mod faults;
mod flips;
mod full;
mod judge;
pub(super) mod script;
mod scripts;
mod slices;
mod store;
mod suite;
