//! The functions with which tests wait.

use quorate::clock;
use std::time::Duration;

const POLL: Duration = Duration::from_millis(20);

/// Repeats `ask` until it returns a value, and returns that value. Panics with `what` when `limit`
/// is over.
pub fn until<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = clock::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(clock::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(POLL);
    }
}

/// Lets time pass in a test that is about time itself, such as a freeze or the interval of
/// renewals. Use [`until`] to wait for an event.
pub fn let_pass(time: Duration) {
    std::thread::sleep(time);
}
