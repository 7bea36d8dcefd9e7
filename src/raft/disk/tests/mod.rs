//! The store against openraft's own suite, a simulated disk, and rot.

mod crash;
mod faults;
mod flips;
mod full;
mod script;
mod store;
mod suite;
