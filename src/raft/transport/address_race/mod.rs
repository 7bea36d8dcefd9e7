//! Dialing of one peer's addresses. These are the addresses that its name resolves to now, and
//! remembered earlier ones.

use super::error::DialError;
use super::resolver::{Resolution, ResolveError, Resolved, Resolver};
use crate::clock;
use futures_util::StreamExt;
use futures_util::future::OptionFuture;
use futures_util::stream::FuturesUnordered;
use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Time to wait for a resolution before the remembered addresses are tried alongside it.
const RESOLVED_WITHIN: Duration = Duration::from_millis(50);
/// Time without an answer from one address after which the next address is tried as well.
const NEXT_AFTER: Duration = Duration::from_millis(50);

/// Time without an answer from the current addresses after which the remembered addresses are
/// tried. The time is longer than the other delays, because a remembered address may belong to
/// another node by now.
const LAST_AFTER: Duration = Duration::from_millis(150);

/// Connects to a host by calling `attempt` with its addresses.
///
/// - The addresses to which the name resolves now are tried first. The addresses to which it
///   resolved before (remembered addresses) are tried when the first ones do not answer, or when
///   the resolution takes long.
/// - Only the first dial waits for a resolution that hangs. A later dial sees that the resolution
///   has been running for long, and does not wait.
///
/// # Errors
/// When the name does not resolve and no address is remembered, or when no address answers.
pub(crate) async fn connect<T, F: Future<Output = Result<T, DialError>>>(
    resolver: &Arc<Resolver>,
    host: &str,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, DialError> {
    let mut resolution = resolver.resolve(host);
    let patience = RESOLVED_WITHIN.saturating_sub(resolution.since.elapsed());
    let answer = match patience.is_zero() {
        true => None,
        false => tokio::time::timeout(patience, resolution.answer())
            .await
            .ok(),
    };
    if !matches!(answer, Some(Ok(_))) {
        resolver.log_error(host);
    }
    let raced = Race::new(&resolution, answer).run(&mut resolution, attempt);
    match raced.await {
        Ok((at, connected)) => {
            resolver.note_answered(host, at);
            Ok(connected)
        }
        Err(error) => {
            resolver.log_error(host);
            Err(match resolver.error(host) {
                Some(unresolved) if resolver.is_unknown(host) => unresolved.into(),
                Some(unresolved) => DialError::LastAddress {
                    unresolved,
                    source: Box::new(error),
                },
                None => error,
            })
        }
    }
}

/// The addresses of one dial.
struct Race {
    /// The addresses to try, in this order.
    next: VecDeque<SocketAddr>,
    /// The addresses to try when those in `next` are used up or do not answer soon.
    last: VecDeque<SocketAddr>,
    /// Whether the resolution is complete.
    is_resolved: bool,
    /// The error of the last failed attempt.
    error: DialError,
}

impl Race {
    fn new(resolution: &Resolution, answer: Option<Resolved>) -> Race {
        let remembered = resolution.remembered.iter().copied().collect();
        let mut race = Race {
            next: VecDeque::new(),
            last: remembered,
            is_resolved: false,
            error: ResolveError::NoAddress.into(),
        };
        match answer {
            Some(answer) => race.take(answer),
            None => race.next = std::mem::take(&mut race.last),
        }
        race
    }

    /// Adds the addresses from the resolution, or the reason why it failed.
    fn take(&mut self, answer: Resolved) {
        self.is_resolved = true;
        match answer {
            Ok(fresh) => {
                self.next.retain(|at| !fresh.contains(at));
                self.last.retain(|at| !fresh.contains(at));
                for at in fresh.into_iter().rev() {
                    self.next.push_front(at);
                }
            }
            Err(why) => {
                self.next.append(&mut self.last);
                self.error = why.into();
            }
        }
    }

    /// Returns the next address to try. Takes it from `last` only if `may_be_last` is set.
    fn next(&mut self, may_be_last: bool) -> Option<SocketAddr> {
        self.next.pop_front().or_else(|| match may_be_last {
            true => self.last.pop_front(),
            false => None,
        })
    }

    /// Tries the addresses in order, with a delay between two attempts, until one answers.
    async fn run<T, F: Future<Output = Result<T, DialError>>>(
        mut self,
        resolution: &mut Resolution,
        attempt: impl Fn(SocketAddr) -> F,
    ) -> Result<(SocketAddr, T), DialError> {
        let attempt = |at| {
            let attempted = attempt(at);
            async move { (at, attempted.await) }
        };
        let mut tried = Vec::new();
        let mut under_way = FuturesUnordered::new();
        let mut step_at = clock::now();
        let last_at = step_at + LAST_AFTER;
        loop {
            let now = clock::now();
            let is_idle = under_way.is_empty();
            let is_due = is_idle || now >= step_at;
            if is_due && let Some(at) = self.next(is_idle || now >= last_at) {
                step_at = clock::now() + NEXT_AFTER;
                if !tried.contains(&at) {
                    tried.push(at);
                    under_way.push(attempt(at));
                }
                continue;
            }
            if under_way.is_empty() && self.is_resolved {
                return Err(self.error);
            }
            let (wakes_at, waits) = match self.next.is_empty() {
                true => (last_at, !self.last.is_empty()),
                false => (step_at, true),
            };
            let answer = OptionFuture::from((!self.is_resolved).then(|| resolution.answer()));
            let has_attempts = !under_way.is_empty();
            tokio::select! {
                Some((at, attempted)) = under_way.next(), if has_attempts => match attempted {
                    Ok(connected) => return Ok((at, connected)),
                    Err(error) => {
                        self.error = DialError::At {
                            ip: at.ip(),
                            source: Box::new(error),
                        };
                    }
                },
                Some(answer) = answer => {
                    self.take(answer);
                    // Try a new address immediately, without the delay that separates two attempts.
                    step_at = clock::now();
                }
                () = tokio::time::sleep_until(wakes_at), if waits => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
