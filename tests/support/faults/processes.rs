//! Faults of processes.

use super::kind::Kind;
use super::stage::{Fault, Stage, Struck};

impl Stage {
    pub(super) fn kill(&mut self, victims: &[usize]) {
        // All nodes are paused first, so that none sees another one die.
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

    /// Stops the next node of a rolling stop, once the previous one is back. Returns whether all
    /// are done.
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
