//! Applies faults of processes: kills, freezes and stops.

use super::kind::Kind;
use super::stage::{Fault, Stage, Struck};

impl Stage {
    /// Kills nodes at the same time, and collects their logs.
    pub(super) fn kill(&mut self, victims: &[usize]) {
        // All nodes are paused first, so that none of them reacts to the end of another.
        victims.iter().for_each(|i| self.cluster.nodes[*i].pause());
        for victim in victims {
            self.cluster.nodes[*victim].kill9();
            self.note_log(*victim);
        }
    }

    /// Restarts nodes that have ended.
    pub(super) fn start_again(&mut self, victims: &[usize]) {
        victims.iter().for_each(|i| self.cluster.nodes[*i].start());
    }

    /// Freezes nodes with SIGSTOP.
    pub(super) fn freeze(&mut self, victims: &[usize]) {
        victims.iter().for_each(|i| self.cluster.nodes[*i].pause());
    }

    /// Resumes frozen nodes with SIGCONT.
    pub(super) fn thaw(&mut self, victims: &[usize]) {
        victims.iter().for_each(|i| self.cluster.nodes[*i].resume());
    }

    /// Advances a rolling stop. Restarts the current node after it has stopped, and stops the next
    /// node once the current node serves again. Returns whether all nodes were stopped and serve
    /// again.
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
