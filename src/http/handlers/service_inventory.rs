//! `/v1/service-inventory`: the healthy members, for Java nodes that fail over on their own.

use crate::http::backend::Backend;
use crate::http::error::ApiError;
use crate::http::request::airlift_compat::JSON;
use crate::http::request::query::Parameters;
use crate::http::state::{App, ConnectionInfo};
use crate::model::{Lookup, client_address, uuid_of};
use crate::raft::Status;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Uri};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Returns the inventory in the format of airlift's `service-inventory.uri`, which airlift reads
/// every 10 s. The response is immediate, even without a quorum. airlift picks a random entry of
/// type `discovery` that is `RUNNING`, so the inventory contains only such entries.
///
/// A client that asks over HTTPS trusts the certificates of the nodes, and gets their addresses for
/// HTTPS. airlift's client would prefer these, so another client gets only the ones for HTTP.
///
/// Unless `?all` is given, a node omits itself while it reaches other members. Otherwise, an engine
/// could use one node for its inventory and as its discovery server. If that node failed, the
/// engine would lose both, and would have to wait until the node is back.
pub(in crate::http) async fn inventory<D: Backend>(
    State(app): State<App<D>>,
    Extension(connection_info): Extension<ConnectionInfo>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let status = app.backend.status();
    let reaches_others = status
        .members
        .iter()
        .any(|member| member.node != status.node && member.reachable);
    let lists_itself = Parameters::of(&uri)?.switch("all")? || !reaches_others;
    let ready = app.backend.ready().is_ok();
    let https = match connection_info.is_https {
        true => https_addresses(&app),
        false => BTreeMap::new(),
    };
    let itself = lists_itself && ready;
    let inventory = of(&status, itself, &https, &app.settings.environment);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(JSON)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, format!("{inventory}\n")).into_response())
}

/// Returns the HTTPS address that each node has announced for itself. Returns no addresses if there
/// are so many announcements of type `discovery` that other programs must have made most of them.
fn https_addresses<D: Backend>(app: &App<D>) -> BTreeMap<String, String> {
    let found = app
        .backend
        .lookup_stale(&Lookup::Type("discovery".to_owned()));
    let Some(found) = found.ok().filter(|found| !found.rendered.takes_long(false)) else {
        return BTreeMap::new();
    };
    let lookup: Value = serde_json::from_slice(found.rendered.json()).unwrap_or_default();
    let services = lookup["services"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let address = |service: &Value| {
        let node_id = text(&service["nodeId"])?;
        Some((node_id, text(&service["properties"]["https"])?))
    };
    services.filter_map(address).collect()
}

/// Returns the inventory of the members that this node reaches, and of this node if `itself` is
/// true. A member has its address in `https` if there is one. Otherwise, it has the address at
/// which other members reach it.
fn of(status: &Status, itself: bool, https: &BTreeMap<String, String>, environment: &str) -> Value {
    let services: Vec<Value> = status
        .members
        .iter()
        .filter(|member| {
            if member.node == status.node {
                itself
            } else {
                member.reachable
            }
        })
        .filter_map(|member| {
            let address = https.get(&member.node).unwrap_or(&member.address);
            let address = client_address(address).ok()?;
            let (scheme, _) = address.split_once(':')?;
            Some(json!({
                "id": uuid_of(&member.node),
                "nodeId": member.node,
                "type": "discovery",
                "pool": "general",
                "location": format!("/{}", member.node),
                "state": "RUNNING",
                "properties": { scheme: address },
            }))
        })
        .collect();
    json!({ "environment": environment, "services": services })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::{GroupState, MemberStatus, Role, SecurityStatus};

    /// The inventory lists only members that are reachable and have a usable address, because a
    /// Java node does not check the health of an entry before it uses the entry.
    #[test]
    fn only_members_that_are_well_are_listed() {
        let member = |node: &str, reachable| MemberStatus {
            security: None,
            node: node.into(),
            role: "voter".into(),
            address: format!("http://{node}:8411"),
            reachable,
            lag: 0,
        };
        let status = Status {
            node: "q1".into(),
            role: Role::Follower,
            leader: None,
            term: 1,
            applied: 1,
            services: 0,
            security: SecurityStatus::None,
            members: vec![
                member("q1", true),
                member("q2", true),
                member("q3", false),
                member("u@q4", true),
            ],
            group: GroupState::default(),
        };
        let listed = |ready| {
            let inventory = of(&status, ready, &BTreeMap::new(), "test");
            let services = inventory["services"].as_array().cloned();
            let services = services.unwrap_or_default();
            services
                .iter()
                .map(|service| service["properties"]["http"].as_str().map(str::to_owned))
                .collect::<Vec<_>>()
        };
        let (q1, q2) = (
            Some("http://q1:8411".to_owned()),
            Some("http://q2:8411".to_owned()),
        );
        assert_eq!(listed(true), [q1, q2.clone()]);
        assert_eq!(listed(false), [q2]);

        let https = BTreeMap::from([("q2".to_owned(), "https://q2:8443".to_owned())]);
        let inventory = of(&status, true, &https, "test");
        let properties = |i: usize| inventory["services"][i]["properties"].clone();
        assert_eq!(properties(0), json!({"http": "http://q1:8411"}));
        assert_eq!(properties(1), json!({"https": "https://q2:8443"}));
    }
}
