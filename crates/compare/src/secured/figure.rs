//! The figures, their verdicts, and their table.

use crate::measure::interval::Median;
use crate::report::goals::Bound;
use serde::Serialize;
use std::fmt::Write;

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FigureUnit {
    /// A ratio of speeds. More is better.
    Ratio,
    /// Microseconds. Less is better.
    Us,
    /// Milliseconds. Less is better.
    Ms,
}

/// One figure: what security costs under one load.
#[derive(Debug, Clone, Serialize)]
pub struct SecuredFigure {
    /// The name of the figure, which says what is compared.
    pub name: String,
    /// The unit of the value and of the goal.
    pub unit: FigureUnit,
    /// The value with its 95 % interval. `None` if there are too few measurements.
    pub value: Option<Median>,
    /// The goal for the value.
    #[serde(skip)]
    pub goal: Bound,
    /// Whether every measurement succeeded, and security caused no errors.
    pub is_complete: bool,
}

/// The verdict on a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecuredVerdict {
    /// The median meets the goal.
    Holds,
    /// The median does not meet the goal.
    FallsShort,
    /// A measurement failed, security caused errors, or there are too few measurements.
    NotCompared,
}

impl SecuredFigure {
    /// Judges the figure by its median. A shortfall is reported even if measurements failed.
    pub fn verdict(&self) -> SecuredVerdict {
        match self.value {
            Some(value) if !self.goal.holds(value.median) => SecuredVerdict::FallsShort,
            Some(_) if self.is_complete => SecuredVerdict::Holds,
            _ => SecuredVerdict::NotCompared,
        }
    }

    fn row(&self) -> String {
        let (unit, digits) = match self.unit {
            FigureUnit::Ratio => ("", 3),
            FigureUnit::Us => (" µs", 1),
            FigureUnit::Ms => (" ms", 0),
        };
        let value = match self.value {
            Some(Median { low, median, high }) => {
                format!("{median:.digits$}{unit} ({low:.digits$} to {high:.digits$})")
            }
            None => "none".to_owned(),
        };
        let verdict = match self.verdict() {
            SecuredVerdict::Holds => "holds",
            SecuredVerdict::FallsShort => "**falls short**",
            SecuredVerdict::NotCompared => "**not compared**",
        };
        format!(
            "| {} | {value} | {}{unit} | {verdict} |",
            self.name, self.goal
        )
    }
}

/// Returns the table of the figures, in Markdown.
pub fn table(figures: &[SecuredFigure]) -> String {
    let mut text = "| figure | value (95 %) | goal | verdict |\n|---|---|---|---|\n".to_owned();
    for figure in figures {
        let _ = writeln!(text, "{}", figure.row());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(unit: FigureUnit, median: f64, goal: Bound) -> SecuredFigure {
        SecuredFigure {
            name: "a load".to_owned(),
            unit,
            value: Some(Median {
                low: median - 1.0,
                median,
                high: median + 1.0,
            }),
            goal,
            is_complete: true,
        }
    }

    /// A ratio falls short below its goal, and a growth above it, whatever the intervals are.
    #[test]
    fn the_median_decides() {
        use SecuredVerdict::{FallsShort, Holds};
        for (unit, median, goal, verdict) in [
            (FigureUnit::Ratio, 0.95, Bound::AtLeast(0.95), Holds),
            (FigureUnit::Ratio, 1.5, Bound::AtLeast(0.95), Holds),
            (FigureUnit::Ratio, 0.949, Bound::AtLeast(0.95), FallsShort),
            (FigureUnit::Us, 25.0, Bound::AtMost(25.0), Holds),
            (FigureUnit::Us, -3.0, Bound::AtMost(25.0), Holds),
            (FigureUnit::Us, 25.1, Bound::AtMost(25.0), FallsShort),
            (FigureUnit::Us, f64::NAN, Bound::AtMost(25.0), FallsShort),
        ] {
            assert_eq!(figure(unit, median, goal).verdict(), verdict, "{median}");
        }
    }

    /// A figure with a failed measurement or without a value does not hold. A shortfall stays one.
    #[test]
    fn what_is_incomplete_does_not_hold() {
        let mut good = figure(FigureUnit::Ratio, 0.99, Bound::AtLeast(0.95));
        good.is_complete = false;
        assert_eq!(good.verdict(), SecuredVerdict::NotCompared);
        good.value = None;
        assert_eq!(good.verdict(), SecuredVerdict::NotCompared);
        good.is_complete = true;
        assert_eq!(good.verdict(), SecuredVerdict::NotCompared);
        let mut bad = figure(FigureUnit::Ratio, 0.9, Bound::AtLeast(0.95));
        bad.is_complete = false;
        assert_eq!(bad.verdict(), SecuredVerdict::FallsShort);
    }

    #[test]
    fn rows_show_units_and_goals() {
        let text = table(&[
            figure(FigureUnit::Ratio, 0.9, Bound::AtLeast(0.95)),
            figure(FigureUnit::Us, 12.34, Bound::AtMost(25.0)),
        ]);
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| a load | 0.900 (-0.100 to 1.900) | at least 0.95 | **falls short** |",
                "| a load | 12.3 µs (11.3 to 13.3) | at most 25 µs | holds |",
            ]
        );
    }
}
