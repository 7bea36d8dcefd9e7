//! The rules of the code base that the compiler does not check. They say which module may use
//! which, how long a file and a line may be, which actions are forbidden in tests, and what must be
//! documented.
//!
//! Each rule is a function from text to complaints. One test applies the rule to the repository.
//! Another test applies the rule to a bad sample, because a check that cannot fail is worthless.

mod arrows;
mod dependencies;
mod documented;
mod layout;
mod log_targets;
mod names;
mod no_sleeps;
mod paths;
mod planted;
mod prose;
mod scripts;
mod size;
mod source;
mod tree;
