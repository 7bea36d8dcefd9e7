//! Clocks that stop while a process is stopped, as in a virtual machine (a guest) that is paused.

use super::preloaded;
use crate::support::node::Node;
use crate::support::wait::until;
use quorate::clock::{self, Instant};
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LIBRARY: &str = "stopped_clock.c";
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// The clocks that stop in a paused guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// No clock stops, as under SIGSTOP alone.
    Nothing,
    /// CLOCK_MONOTONIC stops. CLOCK_BOOTTIME does not, because the host adds the pause to it.
    Monotonic,
    /// CLOCK_BOOTTIME stops too: nothing in the guest shows the pause.
    Both,
}

/// The clocks of one process, from which pauses can be subtracted.
pub struct StoppedClock {
    /// The file that the process has mapped. It contains the times by which the process's clocks
    /// are behind.
    behind: PathBuf,
    monotonic: Duration,
    boottime: Duration,
}

/// A pause of a process that has not ended yet.
pub struct Pause {
    pid: u32,
    began: Instant,
}

impl StoppedClock {
    /// Returns the clocks of a node that does not run. At first they are right.
    pub fn of(node: &mut Node) -> StoppedClock {
        preloaded::preload(node, LIBRARY);
        let clock = StoppedClock::in_file(&node.etc.dir.join("clock-behind"));
        node.environment.push(clock.variable());
        clock
    }

    /// Returns the clocks of a process that is not a node, with their files in this directory. Also
    /// returns the environment with which the process must be started.
    pub fn in_dir(dir: &Path) -> (StoppedClock, Vec<(&'static str, OsString)>) {
        let clock = StoppedClock::in_file(&dir.join("clock-behind"));
        let library = dir.join("stopped_clock.so");
        preloaded::build(LIBRARY, &library);
        let variables = vec![("LD_PRELOAD", library.into_os_string()), clock.variable()];
        (clock, variables)
    }

    fn in_file(behind: &Path) -> StoppedClock {
        fs::write(behind, [0; 16]).expect("a temporary directory");
        StoppedClock {
            behind: behind.to_owned(),
            monotonic: Duration::ZERO,
            boottime: Duration::ZERO,
        }
    }

    fn variable(&self) -> (&'static str, OsString) {
        ("STOPPED_CLOCK", self.behind.clone().into_os_string())
    }

    /// Subtracts a pause from the clocks of a process that is still stopped.
    pub fn take_out(&mut self, pause: &Pause, stopped: Stopped) {
        assert!(is_stopped(pause.pid), "it runs already");
        let lasted = pause.began.elapsed();
        if stopped != Stopped::Nothing {
            self.monotonic += lasted;
        }
        if stopped == Stopped::Both {
            self.boottime += lasted;
        }
        let numbers = [self.monotonic, self.boottime].map(|behind| behind.as_nanos() as i64);
        let bytes = numbers.map(i64::to_ne_bytes).concat();
        let file = OpenOptions::new().write(true).open(&self.behind);
        file.and_then(|file| file.write_all_at(&bytes, 0))
            .expect("a temporary directory");
    }
}

impl Pause {
    /// Waits until a process to which SIGSTOP was sent is stopped. The pause begins then.
    pub fn of(pid: u32) -> Pause {
        until("the process is stopped", STOPS_WITHIN, || {
            is_stopped(pid).then_some(())
        });
        let began = clock::now();
        Pause { pid, began }
    }

    /// Returns the duration of the pause so far.
    pub fn lasted(&self) -> Duration {
        self.began.elapsed()
    }
}

fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a child of the test");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
    fields.starts_with('T')
}
