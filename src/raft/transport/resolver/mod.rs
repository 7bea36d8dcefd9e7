//! Resolves the host names of peers, beside the dials that want them.
//!
//! A name server that fails, answers late or hangs must not cost a connection, a write or a thread
//! of the runtime. So a resolution runs on a thread of its own, one at a time for each name, and
//! outlives the dial that began it; and what a name resolved to last is kept, for dials that find
//! it failing.

use crate::clock::{self, Instant};
use crate::locks::lock;
use crate::raft::log_target;
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Names remembered: those of the largest inventory, of the members, and as many again that were
/// replaced.
const MAX_NAMES: usize = 256;
/// Names resolved at once. A name server that hangs hangs for all of them, and each takes a thread.
const MAX_AT_ONCE: usize = 8;
/// Addresses taken of one name: each may be dialled.
const MAX_ADDRESSES: usize = 8;
/// A resolution that takes longer counts as failing for people. Shorter than a dial may take, so
/// that this can say why.
const LATE_AFTER: Duration = Duration::from_millis(200);
/// That a name does not resolve is said this often.
const SAY_INTERVAL: Duration = Duration::from_secs(10);

/// Resolves a name; blocks for as long as the system's resolver does.
type Resolve = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The names of this process's peers.
pub(crate) struct Names {
    resolve: Box<Resolve>,
    known: Mutex<BTreeMap<String, Name>>,
}

/// One name.
///
/// `under_way` is there exactly while a thread resolves it.
#[derive(Default)]
struct Name {
    /// What it resolved to last, with port 0.
    addresses: Vec<SocketAddr>,
    /// Where a peer answered last.
    answered: Option<SocketAddr>,
    /// Why the last resolution failed.
    failure: Option<String>,
    under_way: Option<UnderWay>,
    /// When it was last logged that it does not resolve.
    said: Option<Instant>,
    /// Whether that is what the log last says.
    is_said: bool,
}

struct UnderWay {
    since: Instant,
    done: watch::Receiver<Option<Resolved>>,
}

/// What came of a resolution: addresses, at least one, or why there are none.
pub(crate) type Resolved = Result<Vec<SocketAddr>, String>;

/// A question for the addresses of a name.
pub(crate) struct Question {
    /// What the name resolved to before, the newest first.
    pub(crate) remembered: Vec<SocketAddr>,
    /// When the resolution was begun that answers it, which may be long ago.
    pub(crate) since: Instant,
    done: watch::Receiver<Option<Resolved>>,
}

impl Question {
    /// Waits for the answer. Cancel-safe; the resolution goes on by itself.
    pub(crate) async fn answer(&mut self) -> Resolved {
        match self.done.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or_else(|| Ok(Vec::new())),
            Err(_) => Err("the resolution was broken off".to_owned()),
        }
    }
}

impl Default for Names {
    fn default() -> Names {
        // Port 0: a name has addresses, and each peer its own port there.
        Names::resolved_by(|host| {
            let addresses = (host, 0).to_socket_addrs()?;
            Ok(addresses.collect())
        })
    }
}

impl Names {
    /// Names that `resolve` resolves, which may block.
    pub(crate) fn resolved_by(
        resolve: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Names {
        Names {
            resolve: Box::new(resolve),
            known: Mutex::default(),
        }
    }

    /// Asks for the addresses of a host: begins a resolution, unless one is under way.
    pub(crate) fn ask(self: &Arc<Self>, host: &str) -> Question {
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
        if let Some(UnderWay { since, done }) = &name.under_way {
            return Question {
                remembered,
                since: *since,
                done: done.clone(),
            };
        }
        let since = clock::now();
        let done = match at_once < MAX_AT_ONCE {
            true => self.begin(host, name, since),
            false => {
                let why = format!("{at_once} other names are being resolved, and none of them is");
                watch::Sender::new(Some(Err(why))).subscribe()
            }
        };
        Question {
            remembered,
            since,
            done,
        }
    }

    /// Begins a resolution on a thread of its own: the runtime's blocking threads are the disk's.
    fn begin(
        self: &Arc<Self>,
        host: &str,
        name: &mut Name,
        since: Instant,
    ) -> watch::Receiver<Option<Resolved>> {
        let (told, done) = watch::channel(None);
        let (names, of) = (self.clone(), host.to_owned());
        let spawned = std::thread::Builder::new()
            .name("name-resolver".to_owned())
            .spawn(move || {
                let resolved = match (names.resolve)(&of) {
                    Ok(addresses) if addresses.is_empty() => Err("it has no address".to_owned()),
                    Ok(addresses) => Ok(addresses.into_iter().take(MAX_ADDRESSES).collect()),
                    Err(error) => Err(error.to_string()),
                };
                names.finish(&of, &resolved);
                told.send_replace(Some(resolved));
            });
        match spawned {
            Ok(_) => {
                let done = done.clone();
                name.under_way = Some(UnderWay { since, done });
            }
            Err(error) => {
                let why = format!("no thread can be started: {error}");
                return watch::Sender::new(Some(Err(why))).subscribe();
            }
        }
        done
    }

    fn finish(&self, host: &str, resolved: &Resolved) {
        let mut known = lock(&self.known);
        // It is there: a name that is being resolved is not forgotten.
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

    /// Notes that a peer answered at one of a host's addresses.
    pub(crate) fn note_answered(&self, host: &str, at: SocketAddr) {
        if let Some(name) = lock(&self.known).get_mut(host) {
            name.answered = Some(at);
        }
    }

    /// Why a host's name does not resolve now; `None` when it does, or was never asked for.
    pub(crate) fn trouble(&self, host: &str) -> Option<String> {
        lock(&self.known).get(host)?.trouble(host)
    }

    /// Whether nothing is known of where a host is.
    pub(crate) fn is_unknown(&self, host: &str) -> bool {
        lock(&self.known)
            .get(host)
            .is_some_and(|name| name.addresses.is_empty() && name.answered.is_none())
    }

    /// Logs that a host's name does not resolve, if that is so and was not logged just now.
    pub(crate) fn say_trouble(&self, host: &str) {
        let mut known = lock(&self.known);
        let Some(name) = known.get_mut(host) else {
            return;
        };
        let now = clock::now();
        let is_due = name
            .said
            .is_none_or(|said| now.duration_since(said) >= SAY_INTERVAL);
        if let Some(trouble) = name.trouble(host).filter(|_| is_due) {
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

impl Name {
    fn trouble(&self, host: &str) -> Option<String> {
        let is_late = self
            .under_way
            .as_ref()
            .is_some_and(|under_way| under_way.since.elapsed() >= LATE_AFTER);
        let why = match &self.failure {
            _ if is_late => "no answer from the name server",
            Some(failure) => failure,
            None => return None,
        };
        Some(format!("{host} does not resolve: {why}"))
    }
}

#[cfg(test)]
mod tests;
