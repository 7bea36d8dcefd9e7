//! Resolution of the host names of peers, independent of the dials that need them.
//!
//! A name server that fails, answers late or hangs must not cost a connection, a write or a thread
//! of the runtime. Each resolution therefore runs on a thread of its own, and continues after the
//! dial that began it. Only one resolution of a name runs at a time. The last addresses of a name
//! are kept, and are dialed while the name does not resolve.

use crate::clock::{self, Instant};
use crate::locks::lock;
use crate::raft::log_target;
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;

/// Maximum number of remembered names. The number covers the names of the largest inventory and of
/// the members, and the same number of earlier names that these names replaced.
const MAX_NAMES: usize = 256;
/// Maximum number of names resolved at a time. Each resolution takes a thread, and a name server
/// that hangs would otherwise occupy one thread for every name.
const MAX_AT_ONCE: usize = 8;
/// Maximum number of addresses used per name, since each may be dialed.
const MAX_ADDRESSES: usize = 8;
/// Time after which an unfinished resolution is reported as a failure. It is shorter than the
/// timeout of a dial, so the dial's error can include the reason.
const LATE_AFTER: Duration = Duration::from_millis(200);
/// Minimum time between two log lines that say that a name does not resolve.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Resolves a name. Blocks until the system's resolver returns.
type Resolve = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The resolver of the host names of this process's peers.
pub(crate) struct Resolver {
    resolve: Box<Resolve>,
    known: Mutex<BTreeMap<String, HostEntry>>,
}

/// The state of one name.
///
/// `under_way` is set exactly while a thread resolves the name.
#[derive(Default)]
struct HostEntry {
    /// The addresses of the last successful resolution, with port 0.
    addresses: Vec<SocketAddr>,
    /// The address at which a peer last answered.
    answered: Option<SocketAddr>,
    /// The reason why the last resolution failed.
    failure: Option<ResolveError>,
    under_way: Option<PendingResolution>,
    /// The time at which the failure to resolve was last logged.
    said: Option<Instant>,
    /// Whether the latest log line about the name reports a failure.
    is_said: bool,
}

/// A resolution that a thread is running.
struct PendingResolution {
    since: Instant,
    done: watch::Receiver<Option<Resolved>>,
}

/// The result of a resolution: at least one address, or the reason why it failed.
pub(crate) type Resolved = Result<Vec<SocketAddr>, ResolveError>;

/// The reason why a name was not resolved.
#[derive(Debug, Clone, Error)]
pub enum ResolveError {
    /// The name has no address.
    #[error("it has no address")]
    NoAddress,
    /// The system's error.
    #[error(transparent)]
    System(Arc<io::Error>),
    /// No thread was started for the resolution.
    #[error("cannot start a thread: {0}")]
    NoThread(#[source] Arc<io::Error>),
    /// Too many other names are being resolved. Contains their number.
    #[error("{0} other names are still being resolved")]
    Busy(usize),
    /// The name server does not answer in time.
    #[error("no answer from the name server")]
    Late,
    /// The thread of the resolution ended without a result.
    #[error("the name resolution was aborted")]
    Aborted,
}

/// A name that does not resolve at present.
#[derive(Debug, Clone, Error)]
#[error("{host} does not resolve: {source}")]
pub struct Unresolved {
    host: String,
    source: ResolveError,
}

/// A pending query for the addresses of a name.
pub(crate) struct Resolution {
    /// The addresses that the name resolved to before, the newest first.
    pub(crate) remembered: Vec<SocketAddr>,
    /// The time at which the resolution that answers the query began, which may be long ago.
    pub(crate) since: Instant,
    done: watch::Receiver<Option<Resolved>>,
}

impl Resolution {
    /// Waits for the answer. Cancel-safe: the resolution continues.
    pub(crate) async fn answer(&mut self) -> Resolved {
        match self.done.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or_else(|| Ok(Vec::new())),
            Err(_) => Err(ResolveError::Aborted),
        }
    }
}

impl Default for Resolver {
    fn default() -> Resolver {
        // Use port 0, because a name has only addresses, and peers on one host may have different
        // ports.
        Resolver::resolved_by(|host| {
            let addresses = (host, 0).to_socket_addrs()?;
            Ok(addresses.collect())
        })
    }
}

impl Resolver {
    /// Creates a resolver that calls `resolve`, which may block.
    pub(crate) fn resolved_by(
        resolve: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Resolver {
        Resolver {
            resolve: Box::new(resolve),
            known: Mutex::default(),
        }
    }

    /// Queries the addresses of a host. Begins a resolution unless one is already running.
    pub(crate) fn resolve(self: &Arc<Self>, host: &str) -> Resolution {
        let mut known = lock(&self.known);
        if !known.contains_key(host) && known.len() >= MAX_NAMES {
            known.retain(|_, name| name.under_way.is_some());
        }
        let at_once = known
            .values()
            .filter(|name| name.under_way.is_some())
            .count();
        let name = known.entry(host.to_owned()).or_default();
        let mut remembered = name.addresses.clone();
        remembered.extend(name.answered.filter(|at| !name.addresses.contains(at)));
        if let Some(PendingResolution { since, done }) = &name.under_way {
            return Resolution {
                remembered,
                since: *since,
                done: done.clone(),
            };
        }
        let since = clock::now();
        let done = match at_once < MAX_AT_ONCE {
            true => self.begin(host, name, since),
            false => {
                let busy = Err(ResolveError::Busy(at_once));
                watch::Sender::new(Some(busy)).subscribe()
            }
        };
        Resolution {
            remembered,
            since,
            done,
        }
    }

    /// Begins a resolution on a thread of its own, because the runtime's threads for blocking work
    /// are reserved for the disk.
    fn begin(
        self: &Arc<Self>,
        host: &str,
        name: &mut HostEntry,
        since: Instant,
    ) -> watch::Receiver<Option<Resolved>> {
        let (sender, done) = watch::channel(None);
        let (resolver, of) = (self.clone(), host.to_owned());
        let spawned = std::thread::Builder::new()
            .name("name-resolver".to_owned())
            .spawn(move || {
                let resolved = match (resolver.resolve)(&of) {
                    Ok(addresses) if addresses.is_empty() => Err(ResolveError::NoAddress),
                    Ok(addresses) => Ok(addresses.into_iter().take(MAX_ADDRESSES).collect()),
                    Err(error) => Err(ResolveError::System(Arc::new(error))),
                };
                resolver.finish(&of, &resolved);
                sender.send_replace(Some(resolved));
            });
        match spawned {
            Ok(_) => {
                let done = done.clone();
                name.under_way = Some(PendingResolution { since, done });
            }
            Err(error) => {
                let failed = Err(ResolveError::NoThread(Arc::new(error)));
                return watch::Sender::new(Some(failed)).subscribe();
            }
        }
        done
    }

    /// Records the result of a resolution.
    fn finish(&self, host: &str, resolved: &Resolved) {
        let mut known = lock(&self.known);
        // The entry exists, because a name is not removed while it is being resolved.
        let name = known.entry(host.to_owned()).or_default();
        name.under_way = None;
        match resolved {
            Ok(addresses) => {
                if std::mem::take(&mut name.is_said) {
                    tracing::info!(target: log_target::PEER_NAMES, "{host} resolves again");
                }
                name.failure = None;
                name.addresses.clone_from(addresses);
            }
            Err(why) => name.failure = Some(why.clone()),
        }
    }

    /// Records that a peer answered at one of a host's addresses.
    pub(crate) fn note_answered(&self, host: &str, at: SocketAddr) {
        if let Some(name) = lock(&self.known).get_mut(host) {
            name.answered = Some(at);
        }
    }

    /// Returns why a host's name does not resolve at present. Returns `None` if it does resolve, or
    /// was never queried.
    pub(crate) fn error(&self, host: &str) -> Option<Unresolved> {
        lock(&self.known).get(host)?.error(host)
    }

    /// Returns whether no address of a host is known.
    pub(crate) fn is_unknown(&self, host: &str) -> bool {
        lock(&self.known)
            .get(host)
            .is_some_and(|name| name.addresses.is_empty() && name.answered.is_none())
    }

    /// Logs that a host's name does not resolve, if that is the case and was not logged recently.
    pub(crate) fn log_error(&self, host: &str) {
        let mut known = lock(&self.known);
        let Some(name) = known.get_mut(host) else {
            return;
        };
        let now = clock::now();
        let is_due = name
            .said
            .is_none_or(|said| now.duration_since(said) >= LOG_INTERVAL);
        if let Some(trouble) = name.error(host).filter(|_| is_due) {
            name.said = Some(now);
            name.is_said = true;
            match name.addresses.is_empty() {
                true => tracing::warn!(target: log_target::PEER_NAMES, "{trouble}"),
                false => {
                    tracing::warn!(
                        target: log_target::PEER_NAMES,
                        "{trouble}; its last address is used"
                    )
                }
            }
        }
    }
}

impl HostEntry {
    fn error(&self, host: &str) -> Option<Unresolved> {
        let is_late = self
            .under_way
            .as_ref()
            .is_some_and(|under_way| under_way.since.elapsed() >= LATE_AFTER);
        let source = match is_late {
            true => ResolveError::Late,
            false => self.failure.clone()?,
        };
        Some(Unresolved {
            host: host.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests;
