//! `/v1/coordinator`: where SQL goes.

use super::HttpSettings;
use super::app::{App, QUORATE_INDEX};
use super::compat::JSON;
use super::discovery::Discovery;
use super::errors::Refusal;
use super::events::{self, Events, Position, Source};
use super::negotiate::prefers_json;
use super::query::Parameters;
use crate::model::{Coordinator, CoordinatorQuery, Engine, Lookup};
use crate::raft::{Feed, Unavailable};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Uri};

/// Of several coordinators, which one is answered. `discovery.coordinator-choice`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoordinatorChoice {
    /// The one that joined last: one that was killed stays listed until max-age has passed, and nobody is to wait for that.
    Newest,
    /// The one that joined first, for those who run several on purpose.
    Oldest,
}

/// `GET /v1/coordinator`
pub(super) async fn coordinator<D: Discovery>(
    State(app): State<App<D>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let parameters = Parameters::of(&uri)?;
    let query = CoordinatorQuery {
        engine: parameters.get("engine").map(engine).transpose()?,
        pool: parameters.get("pool").map(str::to_owned),
    };
    let all = parameters.switch("all")?;
    if parameters.switch("watch")? {
        return watch(app, query, all, &headers).await;
    }
    let (found, index) = find(&app, &query).await?;
    let [first, ..] = found.as_slice() else {
        return Err(Refusal::Unavailable(none(&query)));
    };
    let shown = if all {
        &found[..]
    } else {
        std::slice::from_ref(first)
    };
    let (content_type, body) = if prefers_json(&headers) {
        (JSON, format!("{}\n", json(shown, all)?))
    } else {
        let lines: Vec<&str> = shown
            .iter()
            .map(|coordinator| coordinator.uri.as_str())
            .collect();
        (
            "text/plain; charset=utf-8",
            format!("{}\n", lines.join("\n")),
        )
    };
    let fixed = HeaderValue::from_static;
    let headers = [
        (CONTENT_TYPE, fixed(content_type)),
        (CACHE_CONTROL, fixed("no-store")),
        (VARY, fixed("Accept")),
        (QUORATE_INDEX, HeaderValue::from(index)),
    ];
    Ok((headers, body).into_response())
}

/// The coordinators, the chosen one first, with the index of the state that shows them.
pub(super) async fn find<D: Discovery>(
    app: &App<D>,
    query: &CoordinatorQuery,
) -> Result<(Vec<Coordinator>, u64), Refusal> {
    let (found, index) = app
        .read(|deadline| app.discovery.coordinators(query, deadline))
        .await?;
    Ok((chosen_first(found, &app.settings), index))
}

fn chosen_first(mut found: Vec<Coordinator>, settings: &HttpSettings) -> Vec<Coordinator> {
    if settings.coordinator_choice == CoordinatorChoice::Oldest {
        found.reverse();
    }
    found
}

/// Why there is none.
pub(super) fn none(query: &CoordinatorQuery) -> String {
    let engine = query
        .engine
        .map_or("Presto or Trino", |engine| match engine {
            Engine::Presto => "Presto",
            Engine::Trino => "Trino",
        });
    match &query.pool {
        None => format!("No coordinator of {engine} is announced"),
        Some(pool) => format!("No coordinator of {engine} is announced in the pool {pool}"),
    }
}

fn engine(name: &str) -> Result<Engine, Refusal> {
    Engine::of_name(name)
        .ok_or_else(|| Refusal::BadRequest("The parameter engine is presto or trino".to_owned()))
}

fn json(shown: &[Coordinator], all: bool) -> Result<String, Refusal> {
    let json = match shown {
        [one] if !all => serde_json::to_string(one),
        several => serde_json::to_string(&serde_json::json!({ "coordinators": several })),
    };
    json.map_err(|error| Refusal::Internal(error.to_string()))
}

async fn watch<D: Discovery>(
    app: App<D>,
    query: CoordinatorQuery,
    all: bool,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    events::check_accepted(headers)?;
    let place = app.watcher()?;
    let lookups: Vec<Lookup> = Engine::ALL
        .into_iter()
        .filter(|engine| query.engine.is_none_or(|wanted| wanted == *engine))
        .flat_map(|engine| [engine.coordinator_type(), engine.service_type()])
        .map(|service_type| Lookup::Type(service_type.to_owned()))
        .collect();
    let feed = app.discovery.feed(&lookups)?;
    let (found, index) = find(&app, &query).await?;
    let mut followed = Followed {
        discovery: app.discovery.clone(),
        settings: app.settings.clone(),
        query,
        all,
        feed,
        shown: None,
    };
    let mut first = Events::default();
    followed.show(found, index, &mut first)?;
    Ok(events::answer(&app, followed, first, index, place))
}

/// The coordinators as a stream shows them.
struct Followed<D> {
    discovery: D,
    settings: std::sync::Arc<HttpSettings>,
    query: CoordinatorQuery,
    all: bool,
    feed: Feed,
    /// What the reader has; `None` before the first event.
    shown: Option<Vec<Coordinator>>,
}

impl<D: Discovery> Followed<D> {
    fn show(
        &mut self,
        found: Vec<Coordinator>,
        index: u64,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let mut found = chosen_first(found, &self.settings);
        if !self.all {
            found.truncate(1);
        }
        if self.shown.as_ref() == Some(&found) {
            return Ok(());
        }
        let position = Position::on(&self.feed, index);
        if found.is_empty() {
            let reason = serde_json::json!({ "reason": none(&self.query) });
            events.push("none", position, reason.to_string().into());
        } else {
            events.push("coordinator", position, json(&found, self.all)?.into());
        }
        self.shown = Some(found);
        Ok(())
    }
}

impl<D: Discovery> Source for Followed<D> {
    fn feed(&mut self) -> &mut Feed {
        &mut self.feed
    }

    fn look(&mut self, events: &mut Events) -> Result<u64, Unavailable> {
        let (found, index) = self.discovery.coordinators_stale(&self.query)?;
        self.show(found, index, events)
            .map_err(|refusal| Unavailable {
                reason: super::errors::refusal_line(&refusal),
            })?;
        Ok(index)
    }
}
