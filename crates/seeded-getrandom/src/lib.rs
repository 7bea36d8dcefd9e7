//! A replacement of the C library's `getrandom`, for a program whose random numbers all derive from
//! one seed.
//!
//! tokio makes random choices in `select!` and in its watch channels. The generator of these
//! choices is seeded from the standard library's `RandomState`. tokio accepts another seed only if
//! everything is compiled with `--cfg tokio_unstable`, which would apply to the product as well.
//! `RandomState` in turn calls `getrandom` through a weak symbol, which exists so that a program
//! can substitute its own `getrandom` (`std::sys::random::linux`). A program that is linked with
//! this crate gets the `getrandom` of this crate, and does not need the flag.
//!
//! This crate has no effect on systems whose standard library does not call `getrandom`.

#![deny(clippy::self_named_module_files)]

use std::sync::atomic::{AtomicU64, Ordering};

/// The state of the generator (splitmix64).
static STATE: AtomicU64 = AtomicU64::new(0);

/// Seeds all random bytes that the process requests from now on.
///
/// Each thread requests the keys of its `RandomState` once. Call this function before any thread
/// requests random bytes. The threads that request random bytes must start in the same order in
/// every run.
pub fn seed(seed: u64) {
    // This reference keeps the linker from dropping `getrandom` if no other code refers to it.
    std::hint::black_box(getrandom as unsafe extern "C" fn(*mut u8, usize, u32) -> isize);
    STATE.store(seed, Ordering::Relaxed);
}

fn next() -> u64 {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let state = STATE.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Fills a buffer with bytes derived from the seed, as `getrandom(2)` fills it with random ones.
///
/// # Safety
/// `buffer` must be valid for writes of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    for at in 0..length {
        // SAFETY: the caller promises that `length` bytes can be written.
        unsafe { buffer.add(at).write(next() as u8) };
    }
    length as isize
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::hash::{BuildHasher, RandomState};

    /// The standard library's hashers, and therefore tokio's random choices, derive from the seed.
    #[test]
    fn a_seed_decides_the_keys_of_hashers() {
        let drawn = |of: u64| {
            let thread = std::thread::spawn(move || {
                seed(of);
                RandomState::new().hash_one(0)
            });
            thread.join().expect("it does not panic")
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }
}
