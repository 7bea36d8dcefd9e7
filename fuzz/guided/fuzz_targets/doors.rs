//! Fuzzes the target that the environment variable `QUORATE_FUZZ` names.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_fuzz::{TARGETS, Target};
use std::sync::LazyLock;

static DOOR: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("QUORATE_FUZZ").unwrap_or_default();
    TARGETS
        .iter()
        .find(|target| target.name == name)
        .expect("QUORATE_FUZZ names a target")
});

fuzz_target!(|data: &[u8]| (DOOR.run)(data));
