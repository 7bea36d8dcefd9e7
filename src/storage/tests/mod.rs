//! The store against openraft's own suite, a simulated disk, and rot.

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
