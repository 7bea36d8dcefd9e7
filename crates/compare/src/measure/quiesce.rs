//! Waiting until those who are not measured do nothing.
//!
//! A JVM goes on compiling after its load has ended, and what it takes is missing to whom is measured. One that rests may begin again, so that
//! what the others took beside each load is in the results as well.

use quorate::clock;
use std::time::Duration;
use tokio::time::sleep;

/// Between two looks they took less than this, all together: at most three ticks of the kernel's clock. Nine servers without clients take
/// about two (benches/results, 2026-11-27T0220Z).
const AT_REST_S: f64 = 0.035;
const LOOK_AFTER: Duration = Duration::from_millis(500);
/// So many looks in a row: a pause of a compiler is no end.
const LOOKS_AT_REST: u32 = 3;
/// A run goes on beside those who never rest, and its results say so.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits until those who took so many seconds of processor time so far take no more. Whether they came to rest in time.
pub async fn came_to_rest(took_s: impl Fn() -> f64) -> bool {
    let began = clock::now();
    let (mut before_s, mut at_rest) = (took_s(), 0);
    while at_rest < LOOKS_AT_REST {
        if clock::now() - began >= LIMIT {
            return false;
        }
        sleep(LOOK_AFTER).await;
        let now_s = took_s();
        at_rest = match now_s - before_s < AT_REST_S {
            true => at_rest + 1,
            false => 0,
        };
        before_s = now_s;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What they took so long after the beginning, when they work for some milliseconds of a time.
    fn worked_s(began: clock::Instant, works: &[(u64, u64)]) -> f64 {
        let now_ms = (clock::now() - began).as_millis() as u64;
        let in_ms = |(from_ms, to_ms): &(u64, u64)| now_ms.clamp(*from_ms, *to_ms) - from_ms;
        works.iter().map(in_ms).sum::<u64>() as f64 / 1_000.0
    }

    async fn waited_ms(works: &[(u64, u64)]) -> (bool, u64) {
        let began = clock::now();
        let rests = came_to_rest(|| worked_s(began, works)).await;
        (rests, (clock::now() - began).as_millis() as u64)
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_no_rest() {
        assert_eq!(waited_ms(&[]).await, (true, 1_500));
        assert_eq!(waited_ms(&[(0, 2_000)]).await, (true, 3_500));
        assert_eq!(waited_ms(&[(0, 900), (1_950, 3_000)]).await, (true, 4_500));
        // What everybody does now and then is rest, too; a tick more is none.
        assert_eq!(waited_ms(&[(200, 230), (700, 730)]).await, (true, 1_500));
        assert_eq!(waited_ms(&[(200, 240)]).await, (true, 2_000));
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_rests_is_told_of() {
        assert_eq!(waited_ms(&[(0, u64::MAX)]).await, (false, 60_000));
    }
}
