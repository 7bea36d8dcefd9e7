//! Random numbers: from the operating system, or in a simulation from a single seed.

use std::cell::Cell;

thread_local! {
    /// The state of this thread's seeded generator; `None` outside a simulation.
    static SEEDED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Seeds this thread, so that every later random number for consensus depends only on the seed.
/// `None` switches back to the random numbers of the operating system.
///
/// Only simulations use this function. They run all their nodes on one thread.
#[cfg(feature = "sim")]
pub fn seed_thread(seed: Option<u64>) {
    SEEDED.set(seed);
}

/// Returns the next random number of a seeded thread (splitmix64); `None` if the thread has no
/// seed.
pub(crate) fn next_seeded() -> Option<u64> {
    let state = SEEDED.get()?.wrapping_add(0x9E37_79B9_7F4A_7C15);
    SEEDED.set(Some(state));
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    Some(mixed ^ (mixed >> 31))
}

/// Returns a random number for a new incarnation, process or static service.
///
/// # Errors
/// Fails when the system provides no randomness, without which no unique number can be drawn.
pub fn random_u64() -> std::io::Result<u64> {
    match next_seeded() {
        Some(number) => Ok(number),
        None => getrandom::u64()
            .map_err(|error| std::io::Error::other(format!("cannot get a random number: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same seed leads to the same numbers, and another seed to other numbers. Without a seed,
    /// the numbers are different each time.
    #[test]
    fn a_seed_decides_what_is_drawn() {
        let drawn = |seed| {
            SEEDED.set(seed);
            [(); 3].map(|()| random_u64().expect("there is randomness"))
        };
        assert_eq!(drawn(Some(7)), drawn(Some(7)));
        assert_ne!(drawn(Some(7)), drawn(Some(8)));
        assert_ne!(drawn(None), drawn(None));
    }
}
