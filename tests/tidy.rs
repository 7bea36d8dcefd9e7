//! The rules of the code base that no compiler holds: which module may use which, how long a file
//! may be, what a test may not do, what must be documented. Each rule is a function from text to
//! complaints, held to the tree by one test and to a bad sample by another: a check that cannot
//! fail is worth nothing.

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/documented.rs"]
mod documented;
#[path = "tidy/log_targets.rs"]
mod log_targets;
#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/patience.rs"]
mod patience;
#[path = "tidy/planted.rs"]
mod planted;
#[path = "tidy/scripts.rs"]
mod scripts;
#[path = "tidy/size.rs"]
mod size;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tree.rs"]
mod tree;
