//! The number of connections that the process's file descriptors allow. Debian's default limit is
//! 1,024 file descriptors. Clients that used up all of them would lock out the other nodes too.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Number of file descriptors reserved for other uses: the database, log files, connections to
/// peers, the runtime itself.
const OTHER_DESCRIPTORS: u64 = 128;

/// Minimum number of connections. With fewer connections, not even the other members could connect.
const MIN_CONNECTIONS: usize = 32;

/// Raises the soft limit of file descriptors to the hard limit, as a JVM does on its own. Returns
/// the resulting limit; `None` means unlimited.
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

/// Raises the limit of file descriptors. Returns the number of connections that fit, at most
/// `wanted`.
pub(super) fn fit_descriptors(wanted: usize) -> usize {
    let descriptors = raise_descriptors();
    let fitting = fitting_connections(wanted, descriptors);
    if fitting < wanted {
        tracing::warn!(
            target: "quorate::http::limits",
            "the limit of {} file descriptors allows {fitting} connections, not {wanted}: \
            raise it (ulimit -n, LimitNOFILE)",
            descriptors.unwrap_or(0)
        );
    }
    fitting
}

/// Returns the number of connections that fit; `None` means no limit.
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

    /// The number of connections that fit is the number of file descriptors minus the reserved
    /// ones. The result has a minimum and a maximum.
    #[test]
    fn the_cap_fits_the_descriptors() {
        assert_eq!(fitting_connections(20_000, Some(1_024)), 896);
        assert_eq!(fitting_connections(20_000, Some(1_048_576)), 20_000);
        assert_eq!(fitting_connections(20_000, None), 20_000);
        assert_eq!(fitting_connections(20_000, Some(64)), MIN_CONNECTIONS);
        assert_eq!(fitting_connections(4, Some(64)), 4);
    }
}
