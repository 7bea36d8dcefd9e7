//! The number of connections that the process's descriptors allow. Debian's default of 1,024 would
//! refuse the 1,025th client, and then the other nodes.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are no client's: the database, log files, connections to peers, the runtime's own.
const OTHER_DESCRIPTORS: u64 = 128;

/// A cap below this would not serve the members themselves.
const MIN_CONNECTIONS: usize = 32;

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
            target: "quorate::http::limits",
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
