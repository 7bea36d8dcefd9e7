//! Clocks of real nodes that are wrong or slow on demand.

use super::preloaded::preload;
use crate::support::node::Node;
use std::fs;
use std::path::PathBuf;

/// The clocks of one node, which a test can set.
pub struct WrongClock {
    ahead: PathBuf,
    slower: PathBuf,
}

impl WrongClock {
    /// Returns the clocks of a node that does not run. At first they are right.
    pub fn of(node: &mut Node) -> WrongClock {
        preload(node, "wrong_clock.c");
        let ahead = node.etc.dir.join("clock-ahead-s");
        node.environment
            .push(("WRONG_CLOCK", ahead.clone().into_os_string()));
        let slower = node.etc.dir.join("clock-slower");
        WrongClock { ahead, slower }
    }

    /// Returns clocks like [`WrongClock::of`], of which the monotonic clock can also be slowed
    /// down. Each read of that clock then takes longer, because the library looks for the file with
    /// the factor.
    pub fn that_can_be_slow(node: &mut Node) -> WrongClock {
        let clock = WrongClock::of(node);
        let slower = clock.slower.clone().into_os_string();
        node.environment.push(("SLOW_CLOCK", slower));
        clock
    }

    /// Slows the monotonic clock down by this factor from now on.
    pub fn slow_down(&self, factor: u64) {
        fs::write(&self.slower, factor.to_string()).expect("a temporary directory");
    }

    /// Sets the wall clock this many seconds ahead, or behind, from now on.
    pub fn set_ahead_s(&self, ahead_s: i64) {
        fs::write(&self.ahead, ahead_s.to_string()).expect("a temporary directory");
    }

    /// Makes the wall clock right again.
    pub fn correct(&self) {
        fs::remove_file(&self.ahead).expect("it was wrong");
    }
}
