//! Waits until the servers that are not being measured are at rest.
//!
//! A JVM continues to compile after its load has ended, and would take processor time from the
//! server being measured. A JVM at rest may start compiling again. The results therefore also
//! contain the processor time that the other servers used during each load.

use quorate::clock;
use std::time::Duration;
use tokio::time::sleep;

/// Limit on the processor time of all processes together between two checks, in seconds. If the
/// processes use less, they are at rest. The limit allows three ticks of the kernel's clock. Nine
/// servers without clients use about two ticks (benches/results, 2026-11-27T0220Z).
const AT_REST_S: f64 = 0.035;
const LOOK_AFTER: Duration = Duration::from_millis(500);
/// Number of consecutive checks in which the processes must be at rest. A single check is not
/// enough, because a compiler may only have paused.
const LOOKS_AT_REST: u32 = 3;
/// Maximum time to wait for rest. When it has passed, the load is measured beside busy processes,
/// and the results say so.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits until processes are at rest, and returns whether they came to rest in time. `took_s`
/// returns the total processor time of these processes.
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

    /// Returns the processor time, in seconds, used since `began` by processes that work during
    /// these intervals (in milliseconds since `began`).
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
        // A check in which processes used up to three ticks still counts as rest. Four ticks do
        // not.
        assert_eq!(waited_ms(&[(200, 230), (700, 730)]).await, (true, 1_500));
        assert_eq!(waited_ms(&[(200, 240)]).await, (true, 2_000));
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_rests_is_told_of() {
        assert_eq!(waited_ms(&[(0, u64::MAX)]).await, (false, 60_000));
    }
}
