//! `/v1/service-inventory`: the members that are well, for Java nodes that fail over by themselves.

use super::app::App;
use super::compat::JSON;
use super::discovery::Discovery;
use super::errors::Refusal;
use crate::model::uuid_of;
use crate::raft::Status;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Value, json};

/// At once and without a quorum too, in the format that airlift's `service-inventory.uri` reads every 10 s. It shuffles the
/// entries and takes the first of type `discovery` that is `RUNNING`, so that only those are in it.
pub(super) async fn inventory<D: Discovery>(
    State(app): State<App<D>>,
) -> Result<Response, Refusal> {
    let ready = app.discovery.ready().is_ok();
    let inventory = of(&app.discovery.status(), ready, &app.settings.environment);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(JSON)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, format!("{inventory}\n")).into_response())
}

/// The members that this node reaches, and itself when it serves.
fn of(status: &Status, ready: bool, environment: &str) -> Value {
    let services: Vec<Value> = status
        .members
        .iter()
        .filter(|member| {
            if member.node == status.node {
                ready
            } else {
                member.reachable
            }
        })
        .map(|member| {
            let scheme = member.address.split(':').next().unwrap_or("http");
            json!({
                "id": uuid_of(&member.node),
                "nodeId": member.node,
                "type": "discovery",
                "pool": "general",
                "location": format!("/{}", member.node),
                "state": "RUNNING",
                "properties": { scheme: member.address },
            })
        })
        .collect();
    json!({ "environment": environment, "services": services })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::{GroupState, MemberStatus, Role};

    /// Only members that are well are in it: a Java node takes the first, without asking whether it answers.
    #[test]
    fn only_members_that_are_well_are_listed() {
        let member = |node: &str, reachable| MemberStatus {
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
            members: vec![member("q1", true), member("q2", true), member("q3", false)],
            group: GroupState::default(),
        };
        let listed = |ready| {
            let inventory = of(&status, ready, "test");
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
