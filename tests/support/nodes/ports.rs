//! Free ports on loopback.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Mutex;

static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// The lowest port. The range is below every range of outgoing ports, so that no connection takes a
/// killed node's port before the node restarts.
const LOWEST: u16 = 10_000;
const HIGHEST: u16 = 32_000;

/// Returns a free port that this process has not returned before.
pub fn free() -> u16 {
    loop {
        let mut bytes = [0u8; 2];
        getrandom::fill(&mut bytes).expect("the system has random bytes");
        let port = LOWEST + u16::from_le_bytes(bytes) % (HIGHEST - LOWEST);
        let is_free = TcpListener::bind(("127.0.0.1", port)).is_ok();
        if is_free && GIVEN.lock().expect("no test panics in here").insert(port) {
            return port;
        }
    }
}
