//! The one way that tests wait.

use quorate::clock;
use std::time::Duration;

const POLL: Duration = Duration::from_millis(20);

/// Asks again and again until there is an answer; panics with `what` when `limit` is over.
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

/// Lets time pass where time itself is what the test is about: a freeze, a pace of renewals.
/// Never to wait for something: that is [`until`].
pub fn let_pass(time: Duration) {
    std::thread::sleep(time);
}
