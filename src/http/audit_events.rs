//! The events of the audit log about changes that HTTP clients ask for.

use super::authentication::Principal;
use super::error::ApiError;
use super::state::ConnectionInfo;
use crate::audit::{AUDIT_TARGET, CHANGE};
use crate::model::shown;
use std::sync::atomic::{AtomicBool, Ordering};

/// The client of a write. It is an extension (`http::Extensions`) of each write that goes through
/// the router.
#[derive(Debug, Clone)]
pub(super) struct WriteClient {
    pub(super) connection_info: ConnectionInfo,
    /// The identity that the client has proved.
    pub(super) principal: Principal,
}

/// A change of the registry that a client asked for. Dropping it logs that the outcome is unknown,
/// because a request whose client disconnects is dropped while its write continues.
pub(super) struct RequestedChange<'a> {
    client: &'a WriteClient,
    /// The method and the path, without the values of its parameters.
    route: &'static str,
    /// The node id, or the id of the static service.
    id: &'a str,
    environment: &'a str,
    /// Whether a line is to be logged: the write is not only a renewal, and its outcome is not
    /// logged yet.
    is_due: AtomicBool,
}

impl<'a> RequestedChange<'a> {
    /// Creates a change, which is logged only after [`RequestedChange::begin`].
    pub(super) fn new(
        client: &'a WriteClient,
        route: &'static str,
        id: &'a str,
        environment: &'a str,
    ) -> RequestedChange<'a> {
        RequestedChange {
            client,
            route,
            id,
            environment,
            is_due: AtomicBool::new(false),
        }
    }

    /// Notes that the write is proposed, and is not only a renewal.
    pub(super) fn begin(&self) {
        self.is_due.store(true, Ordering::Relaxed);
    }

    /// Logs the change if it was applied, or if it may have been applied.
    pub(super) fn end(self, result: &Result<u64, ApiError>) {
        if !self.is_due.swap(false, Ordering::Relaxed) {
            return;
        }
        match result {
            Ok(index) => self.log("applied", Some(*index), None),
            Err(error @ ApiError::Unknown(_)) => self.log("unknown", None, Some(&error.line())),
            // Nothing has changed.
            Err(_) => {}
        }
    }

    fn log(&self, outcome: &str, index: Option<u64>, reason: Option<&str>) {
        let address = self.client.connection_info.address.ip().to_canonical();
        let (principal, id) = (&self.client.principal, shown(self.id));
        tracing::info!(
            target: AUDIT_TARGET,
            %address,
            %principal,
            route = self.route,
            id,
            environment = self.environment,
            outcome,
            index,
            reason,
            "{CHANGE}"
        );
    }
}

impl Drop for RequestedChange<'_> {
    fn drop(&mut self) {
        if *self.is_due.get_mut() {
            let reason = "the client disconnected before the outcome was known";
            self.log("unknown", None, Some(reason));
        }
    }
}
