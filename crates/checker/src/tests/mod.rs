//! Tests of the checkers with histories that keep the promises and histories that do not.

mod by_hand;
mod certificates;
mod groups;
mod histories;
mod late_expiry;
mod logs;
mod overtaken;
mod searches;
mod simulations;
mod windows;
