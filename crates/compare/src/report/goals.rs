//! The performance goals of quorate. Most goals are ratios to another server in the same run,
//! because absolute figures vary with the machine and its other work.

use crate::measure::figures::Figure;
use crate::measure::tasks::Name;
use std::fmt;

/// The value with which the figure of a goal is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Against {
    /// The same figure of another server. The goal bounds the ratio of quorate's figure to the
    /// figure of that server.
    Peer(Name),
    /// No other value. The goal bounds quorate's figure itself.
    Itself,
}

/// A bound on a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
    Over(f64),
}

/// A goal for one figure of one load.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// The name of the load that the goal is about.
    pub task: &'static str,
    /// The figure of that load on quorate.
    pub figure: Figure,
    /// The value with which the figure is compared.
    pub against: Against,
    /// The bound on the ratio, or on the figure itself.
    pub bound: Bound,
}

/// Returns a goal for the ratio of quorate's figure to another server's.
const fn ratio(task: &'static str, figure: Figure, peer: Name, bound: Bound) -> Goal {
    Goal {
        task,
        figure,
        against: Against::Peer(peer),
        bound,
    }
}

/// Returns a goal for quorate's figure itself.
const fn at_most(task: &'static str, figure: Figure, most: f64) -> Goal {
    Goal {
        task,
        figure,
        against: Against::Itself,
        bound: Bound::AtMost(most),
    }
}

/// All goals. A run reports each of them as met, missed or not measured.
pub const GOALS: &[Goal] = &[
    ratio(
        "lookup-100",
        Figure::Rate,
        Name::Baseline,
        Bound::AtLeast(0.7),
    ),
    ratio(
        "lookup-100",
        Figure::Rate,
        Name::Airlift,
        Bound::AtLeast(5.0),
    ),
    ratio("lookup-100", Figure::Rate, Name::Etcd, Bound::AtLeast(5.0)),
    ratio(
        "lookup-1000",
        Figure::Rate,
        Name::Baseline,
        Bound::AtLeast(0.85),
    ),
    ratio("lookup-alone", Figure::P50, Name::Etcd, Bound::AtMost(0.7)),
    ratio("change-alone", Figure::P50, Name::Etcd, Bound::AtMost(0.9)),
    ratio("change-64", Figure::Rate, Name::Etcd, Bound::AtLeast(2.5)),
    ratio("change-64", Figure::Rate, Name::Airlift, Bound::Over(1.0)),
    ratio("change-256", Figure::Rate, Name::Etcd, Bound::AtLeast(2.5)),
    ratio("change-256", Figure::Rate, Name::Airlift, Bound::Over(1.0)),
    ratio(
        "renew-256",
        Figure::Rate,
        Name::Baseline,
        Bound::AtLeast(0.6),
    ),
    at_most("crowd-10000", Figure::Errors, 0.0),
    at_most("crowd-10000", Figure::P99, 50.0),
    at_most("crowd-10000", Figure::Memory, 120.0),
    ratio(
        "crowd-10000",
        Figure::Processor,
        Name::Airlift,
        Bound::AtMost(0.5),
    ),
];

impl Bound {
    /// Returns whether a value is within the bound.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Bound::AtLeast(least) => value >= least,
            Bound::AtMost(most) => value <= most,
            Bound::Over(least) => value > least,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::AtLeast(least) => write!(f, "at least {least}"),
            Bound::AtMost(most) => write!(f, "at most {most}"),
            Bound::Over(least) => write!(f, "over {least}"),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figure = match self.figure {
            Figure::Rate => "rate",
            Figure::P50 => "p50",
            Figure::P99 => "p99 in ms",
            Figure::Processor => "processor time",
            Figure::Memory => "memory of a node in MB",
            Figure::Errors => "errors",
        };
        write!(f, "{}: {figure}", self.task)?;
        match self.against {
            Against::Peer(peer) => write!(f, " / {peer}'s"),
            Against::Itself => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tasks::TASKS;

    /// The load of each goal exists, and is measured on the server with which the goal compares
    /// quorate.
    #[test]
    fn goals_are_of_what_is_measured() {
        for goal in GOALS {
            let task = TASKS.iter().find(|task| task.name == goal.task);
            let task = task.unwrap_or_else(|| panic!("{goal}: no such task"));
            if let Against::Peer(peer) = goal.against {
                assert!(task.of.contains(&peer), "{goal}: not measured of {peer}");
            }
        }
    }

    #[test]
    fn bounds_hold_to_the_edge() {
        assert!(Bound::AtLeast(0.7).holds(0.7) && !Bound::AtLeast(0.7).holds(0.69));
        assert!(Bound::AtMost(0.0).holds(0.0) && !Bound::AtMost(0.0).holds(1.0));
        assert!(!Bound::Over(1.0).holds(1.0) && Bound::Over(1.0).holds(1.01));
        assert!(!Bound::AtLeast(0.7).holds(f64::NAN) && !Bound::AtMost(0.7).holds(f64::NAN));
    }
}
