//! The events of the audit log about changes that HTTP clients ask for.

use super::authentication::Principal;
use super::error::ApiError;
use super::state::ConnectionInfo;
use crate::audit::{AUDIT_TARGET, CHANGE};
use crate::model::shown;

/// The client of a write. It is an extension (`http::Extensions`) of each write that goes through
/// the router.
#[derive(Debug, Clone)]
pub(super) struct WriteClient {
    pub(super) connection_info: ConnectionInfo,
    /// The identity that the client has proved.
    pub(super) principal: Principal,
}

/// A change of the registry that a client asked for.
pub(super) struct RequestedChange<'a> {
    /// The method and the path, without the values of its parameters.
    pub(super) route: &'static str,
    /// The node id, or the id of the static service.
    pub(super) id: &'a str,
    pub(super) environment: &'a str,
}

impl RequestedChange<'_> {
    /// Logs the change if it was applied, or if it may have been applied.
    pub(super) fn log(&self, client: &WriteClient, result: &Result<u64, ApiError>) {
        let RequestedChange {
            route,
            id,
            environment,
        } = *self;
        let address = client.connection_info.address.ip().to_canonical();
        let (principal, id) = (&client.principal, shown(id));
        match result {
            Ok(index) => tracing::info!(
                target: AUDIT_TARGET,
                %address,
                %principal,
                route,
                id,
                environment,
                outcome = "applied",
                index,
                "{CHANGE}"
            ),
            Err(error @ ApiError::Unknown(_)) => tracing::info!(
                target: AUDIT_TARGET,
                %address,
                %principal,
                route,
                id,
                environment,
                outcome = "unknown",
                reason = error.line(),
                "{CHANGE}"
            ),
            // Nothing has changed.
            Err(_) => {}
        }
    }
}
