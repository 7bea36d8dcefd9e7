//! How many connections there may be (amendment B13).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections kept for `/v1/cluster`, so that clients cannot cut the members off from each other.
const PEER_SHARE: usize = 64;

/// Descriptors that are no client's: the database, log files, connections to peers, the runtime's own.
const OTHER_DESCRIPTORS: u64 = 128;

/// A cap below this would not serve the members themselves.
const MIN_CONNECTIONS: usize = 32;

/// Counts connections.
#[derive(Clone)]
pub(super) struct Places(Arc<Counts>);

struct Counts {
    max: usize,
    max_per_address: usize,
    held: Mutex<Held>,
}

/// - `total` is the number of living [`Place`]s.
/// - `unproven` has an entry for an address only while it has such a place, so it is no larger than `total`.
#[derive(Default)]
struct Held {
    total: usize,
    unproven: HashMap<IpAddr, usize>,
}

/// Why there is no place for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// All places are taken.
    InAll,
    /// Too many connections of this address have not brought a request yet.
    ForAddress,
}

/// A connection's place; counted until the last clone is dropped.
#[derive(Clone)]
pub(super) struct Place(Arc<Taken>);

struct Taken {
    counts: Arc<Counts>,
    address: IpAddr,
    for_peers: bool,
    proven: AtomicBool,
}

impl Places {
    pub(super) fn new(max: usize, max_per_address: usize) -> Places {
        Places(Arc::new(Counts {
            max,
            max_per_address,
            held: Mutex::default(),
        }))
    }

    /// A place for a new connection.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn take(&self, address: IpAddr) -> Result<Place, Full> {
        let counts = &self.0;
        let mut held = counts.lock();
        if held.total >= counts.max {
            return Err(Full::InAll);
        }
        if held
            .unproven
            .get(&address)
            .is_some_and(|count| *count >= counts.max_per_address)
        {
            return Err(Full::ForAddress);
        }
        let for_peers = held.total >= counts.max - PEER_SHARE.min(counts.max / 4);
        held.total += 1;
        *held.unproven.entry(address).or_default() += 1;
        Ok(Place(Arc::new(Taken {
            counts: counts.clone(),
            address,
            for_peers,
            proven: AtomicBool::new(false),
        })))
    }
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn forget_unproven(&mut self, address: IpAddr) {
        if let Some(count) = self.unproven.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.unproven.remove(&address);
            }
        }
    }
}

impl Place {
    /// Whether this place is one of those kept for `/v1/cluster`.
    pub(super) fn for_peers(&self) -> bool {
        self.0.for_peers
    }

    /// Notes that the connection brought a whole request: it counts against its address no more.
    pub(super) fn prove(&self) {
        if !self.0.proven.swap(true, Ordering::Relaxed) {
            self.0.counts.lock().forget_unproven(self.0.address);
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut held = self.counts.lock();
        held.total -= 1;
        if !*self.proven.get_mut() {
            held.forget_unproven(self.address);
        }
    }
}

/// Raises the soft limit of descriptors to the hard one, as a JVM does by itself. How many there are then; `None` is no limit.
pub fn raise_descriptors() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
    if raised.is_ok() {
        limit.maximum
    } else {
        limit.current
    }
}

/// Raises the limit of descriptors, and gives the number of connections that fits, which is `wanted` or less.
pub(super) fn fit_descriptors(wanted: usize) -> usize {
    let descriptors = raise_descriptors();
    let fitting = fitting_connections(wanted, descriptors);
    if fitting < wanted {
        tracing::warn!(
            "the limit of {} descriptors allows {fitting} connections, not {wanted}: raise it (ulimit -n, LimitNOFILE)",
            descriptors.unwrap_or(0)
        );
    }
    fitting
}

/// `None` is no limit.
fn fitting_connections(wanted: usize, descriptors: Option<u64>) -> usize {
    let allowed = descriptors.map_or(u64::MAX, |descriptors| {
        descriptors.saturating_sub(OTHER_DESCRIPTORS)
    });
    wanted
        .min(usize::try_from(allowed).unwrap_or(usize::MAX))
        .max(MIN_CONNECTIONS.min(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    /// The last quarter (at most 64) is for peers, and nobody gets one past the cap until a place is given back.
    #[test]
    fn the_last_places_are_for_peers() {
        let places = Places::new(8, 100);
        let mut held: Vec<_> = (0..8).map(|_| places.take(A).expect("a place")).collect();
        let for_peers: Vec<_> = held.iter().map(Place::for_peers).collect();
        assert_eq!(
            for_peers,
            [false, false, false, false, false, false, true, true]
        );
        assert_eq!(places.take(B).err(), Some(Full::InAll));
        held.pop();
        assert!(places.take(B).is_ok_and(|place| place.for_peers()));
    }

    /// One address may hold any number of connections that brought a request, and few that did not.
    #[test]
    fn only_silent_connections_count_against_an_address() {
        let places = Places::new(1_000, 2);
        let mut proven = Vec::new();
        for _ in 0..100 {
            let place = places.take(A).expect("a place");
            place.prove();
            place.prove();
            proven.push(place);
        }
        let silent = [
            places.take(A).expect("first"),
            places.take(A).expect("second"),
        ];
        assert_eq!(places.take(A).err(), Some(Full::ForAddress));
        assert!(places.take(B).is_ok(), "another address is not in the way");
        drop(silent);
        drop(proven);
        assert!(places.take(A).is_ok());
        assert!(
            places.0.lock().unproven.is_empty() && places.0.lock().total == 0,
            "everything is given back"
        );
    }

    /// The cap is what the descriptors allow, less our own.
    #[test]
    fn the_cap_fits_the_descriptors() {
        assert_eq!(fitting_connections(20_000, Some(1_024)), 896);
        assert_eq!(fitting_connections(20_000, Some(1_048_576)), 20_000);
        assert_eq!(fitting_connections(20_000, None), 20_000);
        assert_eq!(fitting_connections(20_000, Some(64)), MIN_CONNECTIONS);
        assert_eq!(fitting_connections(4, Some(64)), 4);
    }
}
