//! `/v1/watch`: an event stream of the result of a lookup and of each change of the result. A
//! client can resume the stream after a reconnect.

use crate::http::backend::Backend;
use crate::http::error::ApiError;
use crate::http::request::query::Parameters;
use crate::http::respond::sse::{self, EventBuffer, Position, Source, StreamEnd};
use crate::http::state::App;
use crate::model::Lookup;
use crate::raft::{LookupProgress, LookupResult, Watcher};
use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, HeaderName, Uri};

/// The header that browsers and other readers of event streams send when they reconnect.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Handles `GET /v1/watch/{type}`: watches the services of a type.
pub(in crate::http) async fn by_type<D: Backend>(
    State(app): State<App<D>>,
    Path(service_type): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    watch(app, Lookup::Type(service_type), &uri, &headers).await
}

/// Handles `GET /v1/watch/{type}/{pool}`: watches the services of a type in a pool.
pub(in crate::http) async fn by_type_and_pool<D: Backend>(
    State(app): State<App<D>>,
    Path((service_type, pool)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    watch(app, Lookup::TypeAndPool(service_type, pool), &uri, &headers).await
}

/// Watches a lookup: opens an event stream that begins with the current state, or resumes from the
/// position that the client sends, and continues with each change.
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
    // The lookup runs after the watcher was created, so that no change between these two steps is
    // lost.
    let answer = app.look_up(&lookup).await?;
    app.make(&answer, false).await?;
    let mut tracked = WatchedLookup {
        app: app.clone(),
        lookup,
        watcher,
        index: 0,
    };
    let mut first = EventBuffer::default();
    tracked.begin(from, &answer, &mut first);
    let index = tracked.index;
    Ok(sse::answer(&app, tracked, first, index, permit))
}

/// Parses the position from which a reconnecting client resumes its stream. The position is in
/// `Last-Event-ID`, or else in `?from=`.
///
/// # Errors
/// Fails with 400 if the text is not a position.
fn resumes_from(uri: &Uri, headers: &HeaderMap) -> Result<Option<Position>, ApiError> {
    let parameters = Parameters::of(uri)?;
    let (name, text) = match (headers.get(LAST_EVENT_ID), parameters.get("from")) {
        // Some clients send an empty header if they have not received an id yet.
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

/// A lookup, as the source of an event stream.
struct WatchedLookup<D> {
    app: App<D>,
    lookup: Lookup,
    watcher: Watcher,
    /// The log index up to which the reader has every change.
    index: u64,
}

impl<D: Backend> WatchedLookup<D> {
    /// Writes the first events of a stream. A new stream begins with the whole state, and a resumed
    /// stream with the changes after `from`. If the changes are not available, a resumed stream
    /// begins with the whole state as a `reset`.
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

    /// Writes the changes after `self.index`. Returns false if some of them are no longer
    /// available.
    fn push_missed(&mut self, now: LookupProgress, events: &mut EventBuffer) -> bool {
        match self.watcher.since(self.index) {
            Some(changes) => {
                for change in changes {
                    self.index = change.index;
                    events.push("change", self.position(), change.json);
                }
                // The history contained all changes up to `now.index`, because a change is added to
                // the history before the state shows it.
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

    /// Writes the whole state as an event with this name.
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

    async fn poll_changes(&mut self, events: &mut EventBuffer) -> Result<u64, StreamEnd> {
        // The progress is read before the history, so that the history contains all changes up to
        // that progress.
        let now = self.app.backend.progress(&self.lookup)?;
        if !self.push_missed(now, events) {
            let answer = self.app.backend.lookup_stale(&self.lookup)?;
            let made = self.app.make(&answer, false).await;
            made.map_err(StreamEnd::Failed)?;
            self.push_state("reset", &answer, events);
        }
        Ok(self.index)
    }
}
