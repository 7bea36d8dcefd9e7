//! `/v1/targets`: the announced nodes of a type, as Prometheus' HTTP service discovery reads them.

use crate::http::backend::Backend;
use crate::http::error::ApiError;
use crate::http::request::airlift_compat::{JSON, NO_SNIFF};
use crate::http::request::content_negotiation::accepts_json;
use crate::http::request::query::Parameters;
use crate::http::respond::large;
use crate::http::state::{App, QUORATE_INDEX};
use crate::model::{Lookup, client_address, decimal};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Uri};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Maximum length of `path` in bytes.
const PATH_BYTES_MAX: usize = 1_024;

/// The services of a lookup, as far as targets need them.
#[derive(Deserialize)]
struct FoundServices {
    services: Vec<FoundService>,
}

/// A service of a lookup.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundService {
    /// Absent for a static service.
    node_id: Option<String>,
    pool: String,
    properties: FoundProperties,
}

/// The properties that targets need. Others are not stored.
#[derive(Deserialize)]
struct FoundProperties {
    https: Option<String>,
    http: Option<String>,
    #[serde(rename = "https-external")]
    https_external: Option<String>,
    #[serde(rename = "http-external")]
    http_external: Option<String>,
    node_version: Option<String>,
    coordinator: Option<String>,
}

impl FoundProperties {
    /// Returns the addresses by priority. Prometheus is usually near the engine, so the addresses
    /// for the engine's own nodes come first.
    fn addresses(&self) -> impl Iterator<Item = &str> {
        let addresses = [
            &self.https,
            &self.http,
            &self.https_external,
            &self.http_external,
        ];
        addresses
            .into_iter()
            .filter_map(|address| address.as_deref())
    }
}

/// A target with its labels.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct TargetGroup {
    targets: [String; 1],
    labels: BTreeMap<&'static str, String>,
}

/// The part of each target that the client chooses.
struct TargetOptions {
    /// The port in place of the announced one.
    port: Option<u16>,
    /// The path of the metrics.
    path: Option<String>,
}

impl TargetOptions {
    /// Parses `port` and `path`.
    ///
    /// # Errors
    /// Fails if a parameter is invalid, with its name.
    fn of(uri: &Uri) -> Result<TargetOptions, ApiError> {
        let parameters = Parameters::of(uri)?;
        let bad = |text: &str| ApiError::BadRequest(text.to_owned());
        let port = parameters.get("port").map(|port| {
            let port = decimal(port).and_then(|port| u16::try_from(port).ok());
            port.filter(|port| *port != 0)
                .ok_or_else(|| bad("The parameter port is not a number from 1 to 65535"))
        });
        let path = parameters.get("path").map(|path| {
            let is_path = path.starts_with('/')
                && path.len() <= PATH_BYTES_MAX
                && path.bytes().all(|byte| byte.is_ascii_graphic());
            is_path.then(|| path.to_owned()).ok_or_else(|| {
                bad(
                    "The parameter path must begin with / and have at most 1024 printable ASCII \
                     characters",
                )
            })
        });
        Ok(TargetOptions {
            port: port.transpose()?,
            path: path.transpose()?,
        })
    }
}

/// Handles `GET /v1/targets/{type}`.
pub(in crate::http) async fn by_type<D: Backend>(
    State(app): State<App<D>>,
    Path(service_type): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    serve(&app, Lookup::Type(service_type), &uri, &headers).await
}

/// Handles `GET /v1/targets/{type}/{pool}`.
pub(in crate::http) async fn by_type_and_pool<D: Backend>(
    State(app): State<App<D>>,
    Path((service_type, pool)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let lookup = Lookup::TypeAndPool(service_type, pool);
    serve(&app, lookup, &uri, &headers).await
}

/// Responds 200 with the targets of a linearizable lookup. Without a quorum responds 503, after
/// which Prometheus keeps its last list, and never with an empty list.
async fn serve<D: Backend>(
    app: &App<D>,
    lookup: Lookup,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    if !accepts_json(headers) {
        return Err(ApiError::NotAcceptable);
    }
    let options = TargetOptions::of(uri)?;
    let answer = app.look_up(&lookup).await?;
    // The lookup may have a hundred megabytes.
    let rendered = answer.rendered.clone();
    let made = app
        .elsewhere(move || targets(rendered.json(), &options))
        .await?
        .map_err(|error| ApiError::Internal(error.to_string()))?;
    let targets = made.map_err(|error| ApiError::Internal(error.to_string()))?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(JSON)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (QUORATE_INDEX, HeaderValue::from(answer.index)),
        NO_SNIFF,
    ];
    Ok((headers, large::body(targets)).into_response())
}

/// Returns the targets of the services in the JSON of a lookup: one for each node, pool and
/// address. A service without a usable address has none.
fn targets(json: &[u8], options: &TargetOptions) -> serde_json::Result<Bytes> {
    let found: FoundServices = serde_json::from_slice(json)?;
    let mut by_address: BTreeMap<_, TargetGroup> = BTreeMap::new();
    for service in found.services {
        let Some((scheme, authority)) = address_of(&service, options.port) else {
            continue;
        };
        let labels = [
            ("__scheme__", Some(scheme.clone())),
            ("__metrics_path__", options.path.clone()),
            ("__meta_quorate_pool", Some(service.pool.clone())),
            ("__meta_quorate_node", service.node_id.clone()),
            ("__meta_quorate_version", service.properties.node_version),
            ("__meta_quorate_coordinator", service.properties.coordinator),
        ];
        let labels = labels
            .into_iter()
            .filter_map(|(label, value)| Some((label, value?)));
        let group = TargetGroup {
            targets: [authority.clone()],
            labels: labels.collect(),
        };
        by_address.insert((service.node_id, service.pool, scheme, authority), group);
    }
    let groups: Vec<_> = by_address.into_values().collect();
    serde_json::to_vec(&groups).map(Bytes::from)
}

/// Returns the scheme and the authority of the first usable address of a service.
fn address_of(service: &FoundService, port: Option<u16>) -> Option<(String, String)> {
    let mut addresses = service.properties.addresses();
    let address = addresses.find_map(|address| client_address(address).ok())?;
    let uri: Uri = address.parse().ok()?;
    let (scheme, host) = (uri.scheme_str()?.to_owned(), uri.host()?);
    let default_port = if scheme == "https" { 443 } else { 80 };
    let port = port.or(uri.port_u16()).unwrap_or(default_port);
    Some((scheme, format!("{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(services: &Value, query: &str) -> Result<Value, ApiError> {
        let uri: Uri = format!("/v1/targets/t?{query}").parse().expect("a target");
        let body = json!({"environment": "test", "services": services}).to_string();
        let targets = targets(body.as_bytes(), &TargetOptions::of(&uri)?).expect("a lookup");
        Ok(serde_json::from_slice(&targets).expect("JSON"))
    }

    fn service(node_id: &str, properties: &Value) -> Value {
        json!({
            "id": "1", "nodeId": node_id, "type": "t", "pool": "general", "location": "/l",
            "properties": properties
        })
    }

    /// Each node has one target for each of its addresses, with what it announces as labels. A node
    /// without a usable address has no target.
    #[test]
    fn nodes_become_targets() {
        let worker = json!({"http": "http://10.0.0.1:8080", "node_version": "483"});
        let coordinator =
            json!({"http": "http://c:80", "https": "https://c", "coordinator": "true"});
        let services = json!([
            service("w1", &worker),
            service("w1", &worker),
            service("c", &coordinator),
            service("v6", &json!({"http": "http://[::1]:8080/"})),
            service("none", &json!({"http": "http://h/path"})),
            service("bad", &json!({"jmx": "service:jmx"})),
        ]);
        let expected = json!([
            {"targets": ["c:443"], "labels": {"__scheme__": "https",
                "__meta_quorate_coordinator": "true", "__meta_quorate_node": "c",
                "__meta_quorate_pool": "general"}},
            {"targets": ["[::1]:8080"], "labels": {"__scheme__": "http",
                "__meta_quorate_node": "v6", "__meta_quorate_pool": "general"}},
            {"targets": ["10.0.0.1:8080"], "labels": {"__scheme__": "http",
                "__meta_quorate_node": "w1", "__meta_quorate_pool": "general",
                "__meta_quorate_version": "483"}},
        ]);
        assert_eq!(of(&services, ""), Ok(expected));
        let exporter = of(&json!([services[0]]), "port=9090&path=/jmx/metrics").expect("targets");
        assert_eq!(exporter[0]["targets"], json!(["10.0.0.1:9090"]));
        assert_eq!(exporter[0]["labels"]["__metrics_path__"], "/jmx/metrics");
        assert_eq!(of(&json!([]), ""), Ok(json!([])));
    }

    /// A bad parameter is refused by name.
    #[test]
    fn bad_parameters_are_named() {
        for (query, name) in [
            ("port=0", "port"),
            ("port=65536", "port"),
            ("port=%2B1", "port"),
            ("port=", "port"),
            ("port=http", "port"),
            ("path=metrics", "path"),
            ("path=", "path"),
            ("path=/a%20b", "path"),
            ("path=/a%0ab", "path"),
        ] {
            match of(&json!([]), query) {
                Err(ApiError::BadRequest(line)) => {
                    assert!(
                        line.contains(&format!("parameter {name} ")),
                        "{query}: {line}"
                    );
                }
                other => panic!("{query}: {other:?}"),
            }
        }
    }
}
