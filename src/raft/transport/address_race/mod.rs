//! Dials the addresses of one peer: those that its name resolves to, and those that it had.

use super::resolver::{Names, Question, Resolved};
use crate::clock;
use futures_util::StreamExt;
use futures_util::future::OptionFuture;
use futures_util::stream::FuturesUnordered;
use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A resolution that takes longer is raced by the addresses that are remembered.
const RESOLVED_WITHIN: Duration = Duration::from_millis(50);
/// An address that has not answered for so long is joined by the next one.
const NEXT_AFTER: Duration = Duration::from_millis(50);

/// What a name resolved to before is tried when what it resolves to now has not answered for so
/// long. Late, since another node may have that address by now.
const LAST_AFTER: Duration = Duration::from_millis(150);

/// Connects to a host by what `attempt` does with an address.
///
/// - What the name resolves to now comes first. What it resolved to before is tried when that does
///   not answer, or when the resolution takes long.
/// - A resolution that hangs is waited for only once: the dials after it find that it has been
///   under way for long.
///
/// # Errors
/// When the name does not resolve and nothing is remembered, or when no address answers.
pub(crate) async fn connect<T, F: Future<Output = Result<T, String>>>(
    names: &Arc<Names>,
    host: &str,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, String> {
    let mut question = names.ask(host);
    let patience = RESOLVED_WITHIN.saturating_sub(question.since.elapsed());
    let answer = match patience.is_zero() {
        true => None,
        false => tokio::time::timeout(patience, question.answer()).await.ok(),
    };
    if !matches!(answer, Some(Ok(_))) {
        names.say_trouble(host);
    }
    let raced = Race::new(&question, answer).run(&mut question, attempt);
    match raced.await {
        Ok((at, connected)) => {
            names.note_answered(host, at);
            Ok(connected)
        }
        Err(reason) => {
            names.say_trouble(host);
            Err(match names.trouble(host) {
                Some(trouble) if names.is_unknown(host) => trouble,
                Some(trouble) => format!("{trouble}; at its last address: {reason}"),
                None => reason,
            })
        }
    }
}

/// The addresses of one dial.
struct Race {
    /// To be tried, in this order.
    next: VecDeque<SocketAddr>,
    /// To be tried when nothing else is left.
    last: VecDeque<SocketAddr>,
    /// Whether the resolution has said what it will.
    is_resolved: bool,
    reason: String,
}

impl Race {
    fn new(question: &Question, answer: Option<Resolved>) -> Race {
        let remembered = question.remembered.iter().copied().collect();
        let mut race = Race {
            next: VecDeque::new(),
            last: remembered,
            is_resolved: false,
            reason: "it has no address".to_owned(),
        };
        match answer {
            Some(answer) => race.take(answer),
            None => race.next = std::mem::take(&mut race.last),
        }
        race
    }

    /// Takes what the resolution said.
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
                self.reason = why;
            }
        }
    }

    /// The next address to try.
    fn next(&mut self, may_be_last: bool) -> Option<SocketAddr> {
        self.next.pop_front().or_else(|| match may_be_last {
            true => self.last.pop_front(),
            false => None,
        })
    }

    async fn run<T, F: Future<Output = Result<T, String>>>(
        mut self,
        question: &mut Question,
        attempt: impl Fn(SocketAddr) -> F,
    ) -> Result<(SocketAddr, T), String> {
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
                return Err(self.reason);
            }
            let (wakes_at, waits) = match self.next.is_empty() {
                true => (last_at, !self.last.is_empty()),
                false => (step_at, true),
            };
            let answer = OptionFuture::from((!self.is_resolved).then(|| question.answer()));
            let has_attempts = !under_way.is_empty();
            tokio::select! {
                Some((at, attempted)) = under_way.next(), if has_attempts => match attempted {
                    Ok(connected) => return Ok((at, connected)),
                    Err(reason) => self.reason = format!("{}: {reason}", at.ip()),
                },
                Some(answer) = answer => {
                    self.take(answer);
                    // What is new need not wait its turn behind what is old.
                    step_at = clock::now();
                }
                () = tokio::time::sleep_until(wakes_at), if waits => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
