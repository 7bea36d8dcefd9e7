//! launcher.
