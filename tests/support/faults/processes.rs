//! Faults of processes.

use super::kind::Kind;
use super::stage::{Fault, Stage, Struck};
use crate::support::wait::let_pass;
use rustix::process::{Pid, Signal, kill_process};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A process that gets a tenth of its time.
const RUNS: Duration = Duration::from_millis(10);
const RESTS: Duration = Duration::from_millis(90);

/// A process that is stopped nine tenths of the time, until this is dropped.
pub struct Throttle {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Throttle {
    pub fn of(pid: u32) -> Throttle {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let pid = Pid::from_raw(pid as i32).expect("a process id is not 0");
        let thread = thread::spawn(move || {
            // A process that ended by itself is noticed by who looks after it.
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
            // It ends on a process that runs.
            let _ = thread.join();
        }
    }
}

impl Stage {
    pub(super) fn kill(&mut self, victims: &[usize]) {
        // The signals first, so that no node sees another gone.
        victims.iter().for_each(|i| self.cluster.nodes[*i].pause());
        for victim in victims {
            self.cluster.nodes[*victim].kill9();
            self.note_log(*victim);
        }
    }

    pub(super) fn start_again(&mut self, victims: &[usize]) {
        victims.iter().for_each(|i| self.cluster.nodes[*i].start());
    }

    pub(super) fn freeze(&mut self, victims: &[usize]) {
        victims.iter().for_each(|i| self.cluster.nodes[*i].pause());
    }

    pub(super) fn thaw(&mut self, victims: &[usize]) {
        victims.iter().for_each(|i| self.cluster.nodes[*i].resume());
    }

    /// The next of those that are stopped in turn, once the one before is back. Whether all are.
    pub(super) fn next_turn(&mut self, fault: &mut Fault) -> bool {
        debug_assert_eq!(fault.kind, Kind::StopEachInTurn);
        let Some(victim) = fault.victims.get(fault.turn).copied() else {
            return true;
        };
        match fault.struck {
            Struck::Stopping if self.cluster.nodes[victim].is_alive() => {}
            Struck::Stopping => {
                let status = self.cluster.nodes[victim].ended("SIGTERM");
                assert_eq!(status.code(), Some(0), "{status}");
                self.cluster.nodes[victim].start();
                fault.struck = Struck::Surely;
            }
            _ if self.is_ready(victim) => {
                fault.turn += 1;
                if let Some(next) = fault.victims.get(fault.turn) {
                    self.cluster.nodes[*next].ask_to_stop();
                    fault.struck = Struck::Stopping;
                }
            }
            _ => {}
        }
        false
    }
}
