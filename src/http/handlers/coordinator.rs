//! `/v1/coordinator`: the coordinator that SQL clients connect to, as one response or as an event
//! stream.

use crate::http::backend::Backend;
use crate::http::error::ApiError;
use crate::http::request::airlift_compat::{JSON, NO_SNIFF};
use crate::http::request::content_negotiation::prefers_json;
use crate::http::request::query::Parameters;
use crate::http::respond::rendered_coordinators::{
    Content, CoordinatorQuestion, CoordinatorsBody, chosen_first,
};
use crate::http::respond::sse::{self, EventBuffer, Position, Source, StreamEnd};
use crate::http::state::{App, QUORATE_INDEX};
use crate::model::{CoordinatorQuery, Coordinators, Engine, Lookup};
use crate::raft::Watcher;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Uri};
use std::sync::Arc;

/// Handles `GET /v1/coordinator`: responds with the chosen coordinator, or with all coordinators
/// (`?all`). With `?watch`, the response is an event stream of the same content.
pub(in crate::http) async fn coordinator<D: Backend>(
    State(app): State<App<D>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let parameters = Parameters::of(&uri)?;
    let question = CoordinatorQuestion {
        query: CoordinatorQuery {
            engine: parameters.get("engine").map(engine).transpose()?,
            pool: parameters.get("pool").map(str::to_owned),
        },
        all: parameters.switch("all")?,
    };
    if parameters.switch("watch")? {
        return watch(app, question, &headers).await;
    }
    let (rendered, index) = answer(&app, &question, &question.lookups()).await?;
    let (text, json) = match &rendered.content {
        Content::Found { text, json } => (text, json),
        Content::None { reason } => return Err(ApiError::Unavailable(reason.clone())),
    };
    let (content_type, body) = if prefers_json(&headers) {
        (JSON, Body::from(json.clone()))
    } else {
        ("text/plain; charset=utf-8", Body::from(text.clone()))
    };
    let fixed = HeaderValue::from_static;
    let headers = [
        (CONTENT_TYPE, fixed(content_type)),
        (CACHE_CONTROL, fixed("no-store")),
        (VARY, fixed("Accept")),
        (QUORATE_INDEX, HeaderValue::from(index)),
        NO_SNIFF,
    ];
    Ok((headers, body).into_response())
}

/// Returns the linearizable answer to a question about coordinators.
async fn answer<D: Backend>(
    app: &App<D>,
    question: &CoordinatorQuestion,
    lookups: &[Lookup],
) -> Result<(Arc<CoordinatorsBody>, u64), ApiError> {
    if let Some(lookup) = lookups.first() {
        // After this linearizable lookup, the local state, which is read below, is at least as new
        // as the request.
        app.look_up(lookup).await?;
    }
    app.coordinators
        .answer(&app.backend, &app.settings, question, lookups)
}

/// Finds the coordinators with a linearizable read. Returns the coordinators with the chosen one
/// first, and the log index of the state that was read.
pub(in crate::http) async fn find<D: Backend>(
    app: &App<D>,
    query: &CoordinatorQuery,
) -> Result<(Coordinators, u64), ApiError> {
    let (found, index) = app
        .read(|deadline| app.backend.coordinators(query, deadline))
        .await?;
    Ok((chosen_first(found, &app.settings), index))
}

fn engine(name: &str) -> Result<Engine, ApiError> {
    Engine::of_name(name).ok_or_else(|| {
        ApiError::BadRequest("The parameter engine must be presto or trino".to_owned())
    })
}

/// Watches the answer to a question: opens an event stream that shows the current coordinators and
/// each later change.
async fn watch<D: Backend>(
    app: App<D>,
    question: CoordinatorQuestion,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    sse::check_accepted(headers)?;
    let permit = app.watcher()?;
    let lookups = question.lookups();
    let watcher = app.backend.watch(&lookups)?;
    let (rendered, index) = answer(&app, &question, &lookups).await?;
    let mut followed = Followed {
        app: app.clone(),
        question,
        lookups,
        watcher,
        shown: None,
    };
    let mut first = EventBuffer::default();
    followed.show(&rendered, index, &mut first);
    Ok(sse::answer(&app, followed, first, index, permit))
}

/// The answers to a question about coordinators, as the source of an event stream.
struct Followed<D> {
    app: App<D>,
    question: CoordinatorQuestion,
    lookups: Vec<Lookup>,
    watcher: Watcher,
    /// The hash of the content that the reader has, or `None` before the first event. If the
    /// content itself were kept, slow readers would keep many old contents in memory.
    shown: Option<u128>,
}

impl<D: Backend> Followed<D> {
    /// Writes an event with the answer, unless the reader already has it.
    fn show(&mut self, rendered: &CoordinatorsBody, index: u64, events: &mut EventBuffer) {
        if self.shown == Some(rendered.digest) {
            return;
        }
        let position = Position::on(&self.watcher, index);
        match &rendered.content {
            Content::Found { json, .. } => events.push("coordinator", position, json.clone()),
            Content::None { reason } => {
                let reason = serde_json::json!({ "reason": reason });
                events.push("none", position, reason.to_string().into());
            }
        }
        self.shown = Some(rendered.digest);
    }
}

impl<D: Backend> Source for Followed<D> {
    fn watcher(&mut self) -> &mut Watcher {
        &mut self.watcher
    }

    async fn poll_changes(&mut self, events: &mut EventBuffer) -> Result<u64, StreamEnd> {
        let app = &self.app;
        let answer =
            app.coordinators
                .answer(&app.backend, &app.settings, &self.question, &self.lookups);
        let (rendered, index) = answer.map_err(StreamEnd::Failed)?;
        self.show(&rendered, index, events);
        Ok(index)
    }
}
