//! A wall clock that is wrong as told, for real processes.

use super::node::Node;
use super::preloaded::preload;
use std::fs;
use std::path::PathBuf;

/// The wall clock of one node.
pub struct WrongClock {
    ahead: PathBuf,
}

impl WrongClock {
    /// Puts the wall clock of a node that does not run under the test's orders; it is right so far.
    pub fn of(node: &mut Node) -> WrongClock {
        preload(node, "wrong_clock.c");
        let ahead = node.etc.dir.join("clock-ahead-s");
        node.environment
            .push(("WRONG_CLOCK", ahead.clone().into_os_string()));
        WrongClock { ahead }
    }

    /// From now on it is so many seconds ahead, or behind.
    pub fn set_ahead_s(&self, ahead_s: i64) {
        fs::write(&self.ahead, ahead_s.to_string()).expect("a temporary directory");
    }

    /// It is right again.
    pub fn correct(&self) {
        fs::remove_file(&self.ahead).expect("it was wrong");
    }
}
