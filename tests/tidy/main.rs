//! The rules of the code base that no compiler holds: which module may use which, how long a file
//! may be, what a test may not do, what must be documented. Each rule is a function from text to
//! complaints, held to the tree by one test and to a bad sample by another: a check that cannot
//! fail is worth nothing.

mod arrows;
mod dependencies;
mod documented;
mod imports;
mod layout;
mod log_targets;
mod paths;
mod patience;
mod planted;
mod scripts;
mod size;
mod source;
mod tree;
