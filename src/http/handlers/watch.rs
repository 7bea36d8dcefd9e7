//! `/v1/watch`: a lookup, followed by each of its changes.

use crate::http::backend::Backend;
use crate::http::error::ApiError;
use crate::http::request::query::Parameters;
use crate::http::respond::sse::{self, EventBuffer, Position, Source};
use crate::http::state::App;
use crate::model::Lookup;
use crate::raft::{LookupProgress, LookupResult, Unavailable, Watcher};
use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, HeaderName, Uri};

/// The header that browsers and other readers of event streams send when they reconnect.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Handles `GET /v1/watch/{type}`.
pub(in crate::http) async fn by_type<D: Backend>(
    State(app): State<App<D>>,
    Path(service_type): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    watch(app, Lookup::Type(service_type), &uri, &headers).await
}

/// Handles `GET /v1/watch/{type}/{pool}`.
pub(in crate::http) async fn by_type_and_pool<D: Backend>(
    State(app): State<App<D>>,
    Path((service_type, pool)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    watch(app, Lookup::TypeAndPool(service_type, pool), &uri, &headers).await
}

async fn watch<D: Backend>(
    app: App<D>,
    lookup: Lookup,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    sse::check_accepted(headers)?;
    let from = resumes_from(uri, headers)?;
    let permit = app.watcher()?;
    let watcher = app.backend.watch(std::slice::from_ref(&lookup))?;
    // Read after the watcher was created, so that no change between the two is lost.
    let answer = app.look_up(&lookup).await?;
    app.make(&answer, false).await?;
    let mut tracked = WatchedLookup {
        backend: app.backend.clone(),
        lookup,
        watcher,
        index: 0,
    };
    let mut first = EventBuffer::default();
    tracked.begin(from, &answer, &mut first);
    let index = tracked.index;
    Ok(sse::answer(&app, tracked, first, index, permit))
}

fn resumes_from(uri: &Uri, headers: &HeaderMap) -> Result<Option<Position>, ApiError> {
    let parameters = Parameters::of(uri)?;
    let (name, text) = match (headers.get(LAST_EVENT_ID), parameters.get("from")) {
        // Some readers send an id that was never set as an empty one.
        (Some(id), _) if !id.is_empty() => {
            ("The header Last-Event-ID", id.to_str().unwrap_or_default())
        }
        (_, Some(id)) => ("The parameter from", id),
        (_, None) => return Ok(None),
    };
    Position::parse(text)
        .map(Some)
        .ok_or_else(|| ApiError::BadRequest(format!("{name} is not an event id of this service")))
}

/// A lookup, as the source of a stream.
struct WatchedLookup<D> {
    backend: D,
    lookup: Lookup,
    watcher: Watcher,
    /// The index up to which the reader has everything.
    index: u64,
}

impl<D: Backend> WatchedLookup<D> {
    /// Writes the state, or the changes since the reader's last position.
    fn begin(&mut self, from: Option<Position>, answer: &LookupResult, events: &mut EventBuffer) {
        let Some(from) = from else {
            return self.push_state("state", answer, events);
        };
        let is_ours = from.cluster_id == self.watcher.cluster_id() && from.index <= answer.index;
        self.index = from.index;
        if !is_ours || !self.push_missed(answer.progress(), events) {
            self.push_state("reset", answer, events);
        }
    }

    /// Writes the changes after `index`. Returns false if some of them are no longer available.
    fn push_missed(&mut self, now: LookupProgress, events: &mut EventBuffer) -> bool {
        match self.watcher.since(self.index) {
            Some(changes) => {
                for change in changes {
                    self.index = change.index;
                    events.push("change", self.position(), change.json);
                }
                // The history had all changes up to there: a change is added to it before the
                // state shows it.
                self.index = self.index.max(now.index);
                true
            }
            None if now.changed_index <= self.index => {
                self.index = now.index;
                true
            }
            None => false,
        }
    }

    fn push_state(&mut self, name: &str, answer: &LookupResult, events: &mut EventBuffer) {
        self.index = answer.index;
        events.push(name, self.position(), answer.rendered.json().clone());
    }

    fn position(&self) -> Position {
        Position::on(&self.watcher, self.index)
    }
}

impl<D: Backend> Source for WatchedLookup<D> {
    fn watcher(&mut self) -> &mut Watcher {
        &mut self.watcher
    }

    fn poll_changes(&mut self, events: &mut EventBuffer) -> Result<u64, Unavailable> {
        // Read before the changes: by then, the history has all changes up to this progress.
        let now = self.backend.progress(&self.lookup)?;
        if !self.push_missed(now, events) {
            let answer = self.backend.lookup_stale(&self.lookup)?;
            self.push_state("reset", &answer, events);
        }
        Ok(self.index)
    }
}
