//! Clocks that are wrong as told, for real processes.

use super::preloaded::preload;
use crate::support::node::Node;
use std::fs;
use std::path::PathBuf;

/// The clocks of one node.
pub struct WrongClock {
    ahead: PathBuf,
    slower: PathBuf,
}

impl WrongClock {
    /// Puts the clocks of a node that does not run under the test's orders; they are right so far.
    pub fn of(node: &mut Node) -> WrongClock {
        preload(node, "wrong_clock.c");
        let ahead = node.etc.dir.join("clock-ahead-s");
        node.environment
            .push(("WRONG_CLOCK", ahead.clone().into_os_string()));
        let slower = node.etc.dir.join("clock-slower");
        WrongClock { ahead, slower }
    }

    /// As [`WrongClock::of`], with a monotonic clock that can be slowed down too, which makes every look at it slow.
    pub fn that_can_be_slow(node: &mut Node) -> WrongClock {
        let clock = WrongClock::of(node);
        let slower = clock.slower.clone().into_os_string();
        node.environment.push(("SLOW_CLOCK", slower));
        clock
    }

    /// From now on its monotonic clock goes slower by this factor.
    pub fn slow_down(&self, factor: u64) {
        fs::write(&self.slower, factor.to_string()).expect("a temporary directory");
    }

    /// From now on its wall clock is so many seconds ahead, or behind.
    pub fn set_ahead_s(&self, ahead_s: i64) {
        fs::write(&self.ahead, ahead_s.to_string()).expect("a temporary directory");
    }

    /// It is right again.
    pub fn correct(&self) {
        fs::remove_file(&self.ahead).expect("it was wrong");
    }
}
