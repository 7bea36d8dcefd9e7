//! The store against openraft's own suite, a simulated disk, and rot.

mod suite;
