//! The C library's `getrandom`, for a program whose random numbers all follow from one seed.
//!
//! tokio draws the order in which `select!` and its watch channels look at what is ready. It seeds
//! those draws from the standard library's `RandomState`, and takes another seed only where
//! everything is compiled with `--cfg tokio_unstable`. `RandomState` in its turn asks `getrandom`,
//! by a weak symbol that is there so that a program can put its own in the place
//! (`std::sys::random::linux`). A program that is linked with this crate does so, and the flag,
//! which would apply to the product as well, is not needed.
//!
//! On systems whose standard library does not ask `getrandom`, it has no effect.

#![deny(clippy::self_named_module_files)]

use std::sync::atomic::{AtomicU64, Ordering};

/// The state of the generator (splitmix64).
static STATE: AtomicU64 = AtomicU64::new(0);

/// Makes all random bytes that the process asks for from here on follow from `seed`.
///
/// Each thread asks once for the keys of its `RandomState`, so that this is to be called before
/// anything is drawn, and the threads that draw are to be the same ones in the same order.
pub fn seed(seed: u64) {
    // So that the linker takes this one even if no other code names it.
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

/// Fills a buffer with bytes that follow from the seed, as `getrandom(2)` fills it with random ones.
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

    /// The standard library's hashers, and so tokio's draws, follow from the seed.
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
