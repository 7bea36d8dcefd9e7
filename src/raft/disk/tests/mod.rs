//! The store against openraft's own suite, a simulated disk, and rot.

mod crash;
mod script;
mod suite;
