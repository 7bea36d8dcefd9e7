//! `/v1/service-inventory`: the healthy members, for Java nodes that fail over on their own.

use crate::http::backend::Backend;
use crate::http::error::ApiError;
use crate::http::request::airlift_compat::{JSON, NO_SNIFF};
use crate::http::request::query::Parameters;
use crate::http::state::{App, ConnectionInfo};
use crate::model::{client_address, uuid_of};
use crate::raft::{MemberStatus, Status};
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Uri};
use serde_json::{Value, json};

/// Returns the inventory in the format of airlift's `service-inventory.uri`, which airlift reads
/// every 10 s. The response is immediate, even without a quorum. airlift picks a random entry of
/// type `discovery` that is `RUNNING`, so the inventory contains only such entries.
///
/// A client that asks over HTTPS trusts the certificates of the nodes, and gets only their
/// addresses for HTTPS, so that it never sends a token in plain text. Another client gets only the
/// ones for HTTP, because airlift's client would prefer those for HTTPS, and may not trust the
/// certificates.
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
    let itself = lists_itself && ready;
    let address = |member: &MemberStatus| match connection_info.is_https {
        true => https_address(&app, member),
        false => client_address(&member.address).ok(),
    };
    let inventory = of(&status, itself, address, &app.settings.environment);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(JSON)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        NO_SNIFF,
    ];
    Ok((headers, format!("{inventory}\n")).into_response())
}

/// Returns the address for HTTPS that a member has announced for itself, or `None` if it has none.
/// The host must be the one at which other members reach the member, because a client could have
/// announced another one in the name of the member.
fn https_address<D: Backend>(app: &App<D>, member: &MemberStatus) -> Option<String> {
    let host = |address: &str| Some(address.parse::<Uri>().ok()?.host()?.to_owned());
    let announced = app.backend.announced_property(&member.node, "https")?;
    let address = client_address(&announced).ok()?;
    let is_own = address.starts_with("https:") && host(&address)? == host(&member.address)?;
    is_own.then_some(address)
}

/// Returns the inventory of the members that this node reaches, and of this node if `itself` is
/// true. A member without an address is not listed.
fn of(
    status: &Status,
    itself: bool,
    address: impl Fn(&MemberStatus) -> Option<String>,
    environment: &str,
) -> Value {
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
            let address = address(member)?;
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
    use crate::raft::{GroupState, MemberReport, Role, SecurityStatus};

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
            report: MemberReport::default(),
        };
        let status = Status {
            node: "q1".into(),
            role: Role::Follower,
            leader: None,
            term: 1,
            applied: 1,
            services: 0,
            security: SecurityStatus::None,
            failure_tolerance: None,
            members: vec![
                member("q1", true),
                member("q2", true),
                member("q3", false),
                member("u@q4", true),
            ],
            group: GroupState::default(),
        };
        let listed = |ready| {
            let inventory = of(
                &status,
                ready,
                |it| client_address(&it.address).ok(),
                "test",
            );
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
    }
}
