//! A fault in which a process runs for only a tenth of the time.

use crate::support::wait::let_pass;
use rustix::process::{Pid, Signal, kill_process};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Time for which a throttled process runs before it is stopped for [`RESTS`]. The process runs for
/// a tenth of the total time.
const RUNS: Duration = Duration::from_millis(10);
const RESTS: Duration = Duration::from_millis(90);

/// A throttle on a process. Until drop, the process is stopped nine tenths of the time.
pub struct Throttle {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Throttle {
    /// Begins to throttle the process with this id.
    pub fn of(pid: u32) -> Throttle {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let pid = Pid::from_raw(pid as i32).expect("a process id is not 0");
        let thread = thread::spawn(move || {
            // A signal that cannot be sent means that the process has ended, which the caller
            // detects.
            while !over.load(Ordering::SeqCst) && kill_process(pid, Signal::STOP).is_ok() {
                let_pass(RESTS);
                let _ = kill_process(pid, Signal::CONT);
                let_pass(RUNS);
            }
        });
        Throttle {
            is_over,
            thread: Some(thread),
        }
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // The thread ends after it has sent SIGCONT, so the process continues to run.
            let _ = thread.join();
        }
    }
}
