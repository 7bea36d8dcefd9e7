//! The limit on the number of connections, each of which holds a permit. When all permits for
//! clients are taken, the connection that has been idle longest is closed. Without the limit,
//! clients could lock out the other nodes (docs/decisions/0010).

use crate::locks::lock;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// Number of permits reserved for `/v1/cluster`. If this is more than a quarter of all permits,
/// only a quarter is reserved. Without the reserved permits, clients could cut the members off from
/// each other.
const RESERVED_FOR_PEERS: usize = 64;

/// Maximum number of connections that were asked to close and are still open. They no longer count
/// against the limit, but each still uses a file descriptor.
const CLOSING_MAX: usize = 64;

/// Value of `PermitState::idle` for a connection that is not idle. Idle connections are numbered
/// from 1.
const BUSY: u64 = 0;

/// The limiter of the number of connections, which hands out [`ConnectionPermit`]s.
#[derive(Clone)]
pub(super) struct ConnectionLimiter(Arc<LimiterShared>);

/// The limits and the state that the limiter shares with its permits.
struct LimiterShared {
    max: usize,
    max_per_address: usize,
    state: Mutex<LimiterState>,
}

/// The limiter's state.
///
/// - `leaving` counts the permits whose connections were asked to close while they were idle.
/// - `total` counts all other [`ConnectionPermit`]s.
/// - `unproven` counts, for each address, the permits whose connections have not sent a whole
///   request yet. An address without such permits has no entry, which bounds the size of the map.
/// - `idle` holds the idle connections by number, in the order in which they became idle. When a
///   connection is asked to close, its number is removed, which shows that its permit is leaving.
#[derive(Default)]
struct LimiterState {
    total: usize,
    leaving: usize,
    unproven: HashMap<IpAddr, usize>,
    idle: BTreeMap<u64, Arc<Notify>>,
    last_idle: u64,
}

/// The reason why there is no permit for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LimitReached {
    /// All permits are taken by connections that are not idle.
    Total,
    /// Too many connections from this address have not sent a request yet.
    PerAddress,
}

/// A connection's permit. It counts as taken until its last clone is dropped.
#[derive(Clone)]
pub(super) struct ConnectionPermit(Arc<PermitState>);

/// The state that the clones of a permit share.
struct PermitState {
    shared: Arc<LimiterShared>,
    address: IpAddr,
    for_peers: bool,
    proven: AtomicBool,
    /// The permit's number in `LimiterState::idle`, or [`BUSY`]. The number is written only while
    /// `LimiterState` is locked.
    idle: AtomicU64,
    close_requested: Arc<Notify>,
}

impl ConnectionLimiter {
    pub(super) fn new(max: usize, max_per_address: usize) -> ConnectionLimiter {
        ConnectionLimiter(Arc::new(LimiterShared {
            max,
            max_per_address,
            state: Mutex::default(),
        }))
    }

    /// Acquires a permit for a new connection. If no permit for clients is left, asks the
    /// connection that has been idle longest to close. No request is lost, because an idle
    /// connection is between two requests.
    ///
    /// # Errors
    /// Fails if there is no permit.
    pub(super) fn acquire(&self, address: IpAddr) -> Result<ConnectionPermit, LimitReached> {
        let shared = &self.0;
        let for_clients = shared.max - RESERVED_FOR_PEERS.min(shared.max / 4);
        let mut state = shared.lock();
        if state
            .unproven
            .get(&address)
            .is_some_and(|count| *count >= shared.max_per_address)
        {
            return Err(LimitReached::PerAddress);
        }
        if state.total >= for_clients {
            state.make_room();
        }
        if state.total >= shared.max {
            return Err(LimitReached::Total);
        }
        let for_peers = state.total >= for_clients;
        state.total += 1;
        *state.unproven.entry(address).or_default() += 1;
        Ok(ConnectionPermit(Arc::new(PermitState {
            shared: shared.clone(),
            address,
            for_peers,
            proven: AtomicBool::new(false),
            idle: AtomicU64::new(BUSY),
            close_requested: Arc::default(),
        })))
    }

    /// Returns the number of taken permits.
    pub(super) fn taken(&self) -> usize {
        self.0.lock().total
    }

    /// Whether [`CLOSING_MAX`] connections are about to close. If they are, a new connection must
    /// wait until one of them has closed.
    pub(super) fn is_closing(&self) -> bool {
        self.0.lock().leaving >= CLOSING_MAX
    }
}

impl LimiterShared {
    fn lock(&self) -> MutexGuard<'_, LimiterState> {
        lock(&self.state)
    }
}

impl LimiterState {
    /// Stops counting a permit against the limit of its address.
    fn forget_unproven(&mut self, address: IpAddr) {
        if let Some(count) = self.unproven.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.unproven.remove(&address);
            }
        }
    }

    /// Asks the connection that has been idle longest to close.
    fn make_room(&mut self) {
        if let Some((_, longest)) = self.idle.pop_first() {
            longest.notify_one();
            self.total -= 1;
            self.leaving += 1;
        }
    }

    /// Removes a permit from the idle permits. Returns false if the permit's connection was asked
    /// to close in the meantime.
    fn is_still_idle(&mut self, number: u64) -> bool {
        self.idle.remove(&number).is_some()
    }
}

impl ConnectionPermit {
    /// Whether this permit is one of those reserved for `/v1/cluster`.
    pub(super) fn for_peers(&self) -> bool {
        self.0.for_peers
    }

    /// Records that the connection sent a whole request. From then on, the connection does not
    /// count against the limit of its address.
    pub(super) fn mark_active(&self) {
        if !self.0.proven.swap(true, Ordering::Relaxed) {
            self.0.shared.lock().forget_unproven(self.0.address);
        }
    }

    /// Records that the connection waits for its next request, and may be asked to close.
    pub(super) fn idle(&self) {
        let mut state = self.0.shared.lock();
        if self.0.idle.load(Ordering::Relaxed) == BUSY {
            state.last_idle += 1;
            let number = state.last_idle;
            state.idle.insert(number, self.0.close_requested.clone());
            self.0.idle.store(number, Ordering::Relaxed);
        }
    }

    /// Records that the connection is busy. A connection that was asked to close finishes its
    /// request first.
    pub(super) fn busy(&self) {
        if self.0.idle.load(Ordering::Relaxed) == BUSY {
            return;
        }
        let mut state = self.0.shared.lock();
        let number = self.0.idle.swap(BUSY, Ordering::Relaxed);
        if number != BUSY && !state.is_still_idle(number) {
            state.leaving -= 1;
            state.total += 1;
        }
    }

    /// Waits until the connection is asked to close.
    pub(super) fn asked_to_close(&self) -> impl Future<Output = ()> + Send + 'static {
        let asked = self.0.close_requested.clone();
        async move { asked.notified().await }
    }
}

impl Drop for PermitState {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let number = *self.idle.get_mut();
        if number == BUSY || state.is_still_idle(number) {
            state.total -= 1;
        } else {
            state.leaving -= 1;
        }
        if !*self.proven.get_mut() {
            state.forget_unproven(self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    /// Returns `total` and `leaving` of the state.
    fn counts(limiter: &ConnectionLimiter) -> (usize, usize) {
        let state = limiter.0.lock();
        (state.total, state.leaving)
    }

    fn is_asked_to_close(permit: &ConnectionPermit) -> bool {
        permit.asked_to_close().now_or_never().is_some()
    }

    /// The last quarter of the permits (at most 64) is reserved for peers. When all permits are
    /// taken, no connection is admitted until a permit is released.
    #[test]
    fn the_last_places_are_for_peers() {
        let limiter = ConnectionLimiter::new(8, 100);
        let mut permits: Vec<_> = (0..8)
            .map(|_| limiter.acquire(A).expect("a permit"))
            .collect();
        let for_peers: Vec<_> = permits.iter().map(ConnectionPermit::for_peers).collect();
        assert_eq!(
            for_peers,
            [false, false, false, false, false, false, true, true]
        );
        assert_eq!(limiter.acquire(B).err(), Some(LimitReached::Total));
        permits.pop();
        assert!(limiter.acquire(B).is_ok_and(|permit| permit.for_peers()));
    }

    /// One address may have any number of connections that have sent a request, but only a limited
    /// number of connections that have not sent a request yet.
    #[test]
    fn only_silent_connections_count_against_an_address() {
        let limiter = ConnectionLimiter::new(1_000, 2);
        let mut proven = Vec::new();
        for _ in 0..100 {
            let permit = limiter.acquire(A).expect("a permit");
            permit.mark_active();
            permit.mark_active();
            proven.push(permit);
        }
        let silent = [
            limiter.acquire(A).expect("first"),
            limiter.acquire(A).expect("second"),
        ];
        assert_eq!(limiter.acquire(A).err(), Some(LimitReached::PerAddress));
        assert!(
            limiter.acquire(B).is_ok(),
            "another address is not in the way"
        );
        drop(silent);
        drop(proven);
        assert!(limiter.acquire(A).is_ok());
        assert!(
            limiter.0.lock().unproven.is_empty() && limiter.0.lock().total == 0,
            "everything is given back"
        );
    }

    /// When all permits for clients are taken, the connection that has been idle longest is asked
    /// to close. The new connection gets a permit, and the permits reserved for peers stay free.
    #[test]
    fn the_longest_idle_makes_room() {
        let limiter = ConnectionLimiter::new(8, 100);
        let permits: Vec<_> = (0..6)
            .map(|_| limiter.acquire(A).expect("a permit"))
            .collect();
        for idle in [3, 1, 5] {
            permits[idle].idle();
        }
        permits[3].busy();
        permits[3].idle();
        permits[1].idle();
        let new = limiter.acquire(B).expect("the permit of 1");
        assert!(!new.for_peers());
        let asked: Vec<_> = permits.iter().map(is_asked_to_close).collect();
        assert_eq!(asked, [false, true, false, false, false, false]);
        let _another = limiter.acquire(B).expect("the permit of 5");
        let asked: Vec<_> = permits.iter().map(is_asked_to_close).collect();
        assert_eq!(asked, [false, false, false, false, false, true]);
        permits[3].busy();
        let all_busy = limiter.acquire(B).expect("one of the peers'");
        assert!(all_busy.for_peers());
        assert_eq!(counts(&limiter), (7, 2));
        // A connection that receives a request just when it is asked to close counts again until
        // the request is answered.
        permits[1].busy();
        assert_eq!(counts(&limiter), (8, 1));
        drop((permits, new, _another, all_busy));
        assert_eq!(counts(&limiter), (0, 0));
        assert!(limiter.0.lock().idle.is_empty());
    }

    /// At most `CLOSING_MAX` connections are about to close at once. At this limit, a new
    /// connection waits until one of them has closed.
    #[test]
    fn few_are_leaving_at_once() {
        let limiter = ConnectionLimiter::new(4 * CLOSING_MAX, usize::MAX);
        let permits: Vec<_> = (0..3 * CLOSING_MAX)
            .map(|_| limiter.acquire(A).expect("a permit"))
            .collect();
        permits.iter().for_each(ConnectionPermit::idle);
        let mut new = Vec::new();
        while !limiter.is_closing() {
            new.push(limiter.acquire(B).expect("room"));
        }
        assert_eq!(new.len(), CLOSING_MAX);
        drop(permits);
        assert!(!limiter.is_closing());
    }
}
