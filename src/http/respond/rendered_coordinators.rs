//! Coordinator responses, rendered once for all readers of one state.
//!
//! A coordinator may announce a megabyte of properties, and ten thousand readers may follow it.

use crate::http::backend::Backend;
use crate::http::error::ApiError;
use crate::http::settings::{CoordinatorChoice, HttpSettings};
use crate::locks::lock;
use crate::model::{
    Coordinator, CoordinatorQuery, Coordinators, Engine, Lookup, UnusableCoordinator,
};
use bytes::Bytes;
use serde::Serialize;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::collections::VecDeque;
use std::hash::Hasher;
use std::sync::{Arc, Mutex, MutexGuard};

/// Maximum number of cached renderings. A few are enough, because readers ask few distinct
/// questions, and the results seldom change.
const KEPT_MAX: usize = 16;

/// Maximum total size of the cached renderings. The newest rendering is kept regardless of its
/// size.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// Maximum number of coordinators without a usable address that an error message names. The message
/// must fit one line.
const NAMED_MAX: usize = 3;

/// A client's question about coordinators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct CoordinatorQuestion {
    pub(in crate::http) query: CoordinatorQuery,
    /// Whether to return all coordinators instead of only the chosen one.
    pub(in crate::http) all: bool,
}

/// The rendered answer to a question in one state of the registry.
#[derive(Debug)]
pub(in crate::http) struct CoordinatorsBody {
    /// The hash of the content, by which a stream notices a change.
    pub(in crate::http) digest: u128,
    pub(in crate::http) content: Content,
}

/// The content of an answer.
#[derive(Debug)]
pub(in crate::http) enum Content {
    /// The coordinators, as lines of text and as one line of JSON.
    Found { text: Bytes, json: Bytes },
    /// No coordinator was found, for this reason.
    None { reason: String },
}

/// A cache of recent renderings. All readers of one rendering share it.
pub(in crate::http) struct RenderedCoordinators {
    hasher: SipHasher13,
    kept: Mutex<VecDeque<CachedRendering>>,
}

/// A rendering in the cache, with the question and the state that it is for.
struct CachedRendering {
    question: CoordinatorQuestion,
    /// The log index of the last change of the data that the question covers.
    changed_index: u64,
    rendered: Arc<CoordinatorsBody>,
}

/// This node's progress on the lookups that a question covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct QuestionProgress {
    index: u64,
    changed_index: u64,
}

impl CoordinatorQuestion {
    /// Returns the lookups that the answer depends on. Whenever the answer changes, at least one of
    /// these lookups has changed.
    pub(in crate::http) fn lookups(&self) -> Vec<Lookup> {
        Engine::ALL
            .into_iter()
            .filter(|engine| self.query.engine.is_none_or(|wanted| wanted == *engine))
            .flat_map(|engine| [engine.coordinator_type(), engine.service_type()])
            .map(|service_type| Lookup::Type(service_type.to_owned()))
            .collect()
    }
}

impl RenderedCoordinators {
    pub(in crate::http) fn new() -> RenderedCoordinators {
        RenderedCoordinators {
            hasher: SipHasher13::new_with_key(&rand::random()),
            kept: Mutex::default(),
        }
    }

    /// Returns the answer to a question from this node's local state, and a log index at which the
    /// answer is valid. An answer that is not cached is rendered. `lookups` must be the result of
    /// [`CoordinatorQuestion::lookups`].
    ///
    /// # Errors
    /// Fails if this node has no state to show.
    pub(in crate::http) fn answer<D: Backend>(
        &self,
        backend: &D,
        settings: &HttpSettings,
        question: &CoordinatorQuestion,
        lookups: &[Lookup],
    ) -> Result<(Arc<CoordinatorsBody>, u64), ApiError> {
        let before = progress_of(backend, lookups)?;
        if let Some(rendered) = self.find(question, before.changed_index) {
            // The cached answer is valid at least up to the index at which the first lookup was
            // read. This is so because the lookups did not change between `changed_index` and that
            // index.
            return Ok((rendered, before.index.max(before.changed_index)));
        }
        let (found, index) = backend.coordinators_stale(&question.query)?;
        let rendered = Arc::new(self.render(chosen_first(found, settings), question)?);
        // If the state changed during the rendering, the result may or may not include the change,
        // so it is not cached.
        if progress_of(backend, lookups)?.changed_index == before.changed_index {
            self.keep(question, before.changed_index, &rendered);
        }
        Ok((rendered, index))
    }

    /// Returns the cached rendering of the answer in one state.
    fn find(
        &self,
        question: &CoordinatorQuestion,
        changed_index: u64,
    ) -> Option<Arc<CoordinatorsBody>> {
        let kept = self.lock();
        let of_state = |kept: &&CachedRendering| {
            kept.changed_index == changed_index && kept.question == *question
        };
        Some(kept.iter().find(of_state)?.rendered.clone())
    }

    /// Caches a rendering in place of the earlier rendering for the same question, and evicts the
    /// oldest renderings beyond the limits.
    fn keep(
        &self,
        question: &CoordinatorQuestion,
        changed_index: u64,
        rendered: &Arc<CoordinatorsBody>,
    ) {
        let mut kept = self.lock();
        kept.retain(|kept| kept.question != *question);
        kept.push_back(CachedRendering {
            question: question.clone(),
            changed_index,
            rendered: rendered.clone(),
        });
        let mut bytes: usize = kept.iter().map(|kept| kept.rendered.bytes()).sum();
        while kept.len() > KEPT_MAX || (bytes > KEPT_BYTES_MAX && kept.len() > 1) {
            bytes -= kept.pop_front().map_or(0, |kept| kept.rendered.bytes());
        }
    }

    /// Renders the answer to a question.
    fn render(
        &self,
        found: Coordinators,
        question: &CoordinatorQuestion,
    ) -> Result<CoordinatorsBody, ApiError> {
        let shown = match (found.found.as_slice(), question.all) {
            ([first, ..], false) => std::slice::from_ref(first),
            (all, _) => all,
        };
        let content = if shown.is_empty() {
            Content::None {
                reason: none(&question.query, &found.unusable),
            }
        } else {
            let lines: Vec<&str> = shown.iter().map(|found| found.uri.as_str()).collect();
            Content::Found {
                text: format!("{}\n", lines.join("\n")).into(),
                json: format!("{}\n", json(shown, &found.unusable, question.all)?).into(),
            }
        };
        let mut hasher = self.hasher;
        match &content {
            Content::Found { json, .. } => hasher.write(json),
            Content::None { reason } => hasher.write(reason.as_bytes()),
        }
        Ok(CoordinatorsBody {
            digest: hasher.finish128().as_u128(),
            content,
        })
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<CachedRendering>> {
        lock(&self.kept)
    }
}

impl CoordinatorsBody {
    fn bytes(&self) -> usize {
        match &self.content {
            Content::Found { text, json } => text.len() + json.len(),
            Content::None { reason } => reason.len(),
        }
    }
}

/// Returns the last index at which any of the lookups changed, and the index at which the first
/// lookup was read. The index of a later read would be wrong, because the first lookup may have
/// changed before that read.
fn progress_of<D: Backend>(backend: &D, lookups: &[Lookup]) -> Result<QuestionProgress, ApiError> {
    let mut progress_so_far: Option<QuestionProgress> = None;
    for lookup in lookups {
        let progress = backend.progress(lookup)?;
        let (index, before) = progress_so_far.map_or((progress.index, 0), |progress_so_far| {
            (progress_so_far.index, progress_so_far.changed_index)
        });
        progress_so_far = Some(QuestionProgress {
            index,
            changed_index: before.max(progress.changed_index),
        });
    }
    progress_so_far
        .ok_or_else(|| ApiError::Internal("the coordinator query covers no lookup".to_owned()))
}

/// Returns the coordinators with the one chosen by `discovery.coordinator-choice` first.
pub(in crate::http) fn chosen_first(
    mut found: Coordinators,
    settings: &HttpSettings,
) -> Coordinators {
    if settings.coordinator_choice == CoordinatorChoice::Oldest {
        found.found.reverse();
    }
    found
}

/// Returns the line of text that states why no coordinator was found.
pub(in crate::http) fn none(query: &CoordinatorQuery, unusable: &[UnusableCoordinator]) -> String {
    let engine = query
        .engine
        .map_or("Presto or Trino", |engine| match engine {
            Engine::Presto => "Presto",
            Engine::Trino => "Trino",
        });
    let mut text = format!("No coordinator of {engine} is announced");
    if let Some(pool) = &query.pool {
        text += &format!(" in the pool {pool}");
    }
    if !unusable.is_empty() {
        let named: Vec<String> = unusable
            .iter()
            .take(NAMED_MAX)
            .map(UnusableCoordinator::to_string)
            .collect();
        text += " with a usable address: ";
        text += &named.join("; ");
    }
    text
}

/// Renders the shown and the unusable coordinators as one line of JSON.
fn json(
    shown: &[Coordinator],
    unusable: &[UnusableCoordinator],
    all: bool,
) -> Result<String, ApiError> {
    #[derive(Serialize)]
    struct CoordinatorJson<'a> {
        #[serde(flatten)]
        coordinator: &'a Coordinator,
        #[serde(skip_serializing_if = "are_none")]
        unusable: &'a [UnusableCoordinator],
    }
    #[derive(Serialize)]
    struct CoordinatorsJson<'a> {
        coordinators: &'a [Coordinator],
        #[serde(skip_serializing_if = "are_none")]
        unusable: &'a [UnusableCoordinator],
    }
    let json = match shown {
        [coordinator] if !all => serde_json::to_string(&CoordinatorJson {
            coordinator,
            unusable,
        }),
        coordinators => serde_json::to_string(&CoordinatorsJson {
            coordinators,
            unusable,
        }),
    };
    json.map_err(|error| ApiError::Internal(error.to_string()))
}

fn are_none(unusable: &&[UnusableCoordinator]) -> bool {
    unusable.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fake_backend::FakeBackend;
    use crate::model::Announcement;

    async fn announce(backend: &FakeBackend, node_id: &str, kind: &str) {
        let body = format!(
            r#"{{"environment":"test","pool":"p","services":[{{"id":"{node_id}","type":"{kind}",
                "properties":{{"http":"http://{node_id}:1"}}}}]}}"#
        );
        let announcement =
            Announcement::from_json(node_id, body.as_bytes(), "test").expect("a good one");
        let (digest, whole) = (announcement.digest(), || Ok(announcement.clone()));
        let deadline = crate::http::state::deadline();
        let taken = backend.renew_or_announce(node_id, digest, whole, None, deadline);
        taken.await.expect("it is taken");
    }

    /// Readers of one state share a rendering. Each change causes a new rendering, and the cache
    /// stays within its limit.
    #[tokio::test]
    async fn one_state_is_rendered_once() {
        let backend = FakeBackend::new();
        let settings = HttpSettings::new("test");
        let renderings = RenderedCoordinators::new();
        let question = |pool: Option<String>| CoordinatorQuestion {
            query: CoordinatorQuery { engine: None, pool },
            all: true,
        };
        let answer = |question: &CoordinatorQuestion| {
            let lookups = question.lookups();
            let answer = renderings.answer(&backend, &settings, question, &lookups);
            answer.expect("it has a state")
        };
        let any = question(None);
        let (none, _) = answer(&any);
        announce(&backend, "c1", "trino-coordinator").await;
        let (one, index) = answer(&any);
        assert_ne!(none.digest, one.digest);
        assert_eq!(index, backend.applied());
        announce(&backend, "other", "jmx").await;
        let (same, index) = answer(&any);
        assert!(Arc::ptr_eq(&one, &same), "nothing of it has changed");
        assert_eq!(index, backend.applied());
        announce(&backend, "w1", "trino").await;
        let (again, _) = answer(&any);
        assert_eq!(one.digest, again.digest, "a worker changes nothing of it");
        for pool in 0..2 * KEPT_MAX {
            answer(&question(Some(pool.to_string())));
        }
        assert_eq!(renderings.lock().len(), KEPT_MAX);
    }
}
