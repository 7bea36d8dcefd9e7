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

    /// Returns whether the write was proposed, and is not only a renewal. Valid until
    /// [`RequestedChange::end`].
    pub(super) fn has_begun(&self) -> bool {
        self.is_due.load(Ordering::Relaxed)
    }

    /// Runs a write that is not only a renewal, and logs it.
    pub(super) async fn made_by(
        self,
        write: impl Future<Output = Result<u64, ApiError>>,
    ) -> Result<u64, ApiError> {
        self.begin();
        let written = write.await;
        self.end(&written);
        written
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;
    use std::sync::{Arc, Mutex};
    use tracing::field::{Field, Visit};
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt};

    /// The fields of all events, as `name=value`.
    #[derive(Clone, Default)]
    struct SeenFields(Arc<Mutex<Vec<String>>>);

    impl<S: tracing::Subscriber> Layer<S> for SeenFields {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            event.record(&mut self.clone());
        }
    }

    impl Visit for SeenFields {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            let text = format!("{}={value:?}", field.name());
            self.0.lock().expect("no panic").push(text);
        }
    }

    /// Returns the logged outcomes and reasons of a change that `end` ends.
    fn logged(end: impl FnOnce(RequestedChange<'_>)) -> Vec<String> {
        let client = WriteClient {
            connection_info: ConnectionInfo {
                address: ([127, 0, 0, 1], 1).into(),
                is_https: false,
                certificate: None,
                opened_epoch: 0,
            },
            principal: Principal::Token("ops".into()),
        };
        let seen = SeenFields::default();
        let subscriber = tracing_subscriber::registry().with(seen.clone());
        tracing::subscriber::with_default(subscriber, || {
            end(RequestedChange::new(&client, "DELETE /x/{id}", "7", "test"));
        });
        let fields = seen.0.lock().expect("no panic").clone();
        let is_result =
            |field: &&String| field.starts_with("outcome") || field.starts_with("reason");
        fields.iter().filter(is_result).cloned().collect()
    }

    /// A change has one line with its outcome. A change whose client disconnects has one too, and a
    /// renewal or a write that was not applied has none.
    #[test]
    fn each_change_has_one_line() {
        let applied = logged(|change| {
            change.begin();
            change.end(&Ok(7));
        });
        assert_eq!(applied, ["outcome=\"applied\""]);
        let dropped = logged(|change| change.begin());
        assert_eq!(
            dropped,
            [
                "outcome=\"unknown\"",
                "reason=\"the client disconnected before the outcome was known\""
            ]
        );
        assert!(logged(|change| change.end(&Ok(7))).is_empty(), "a renewal");
        let refused = logged(|change| {
            change.begin();
            change.end(&Err(ApiError::NotApplied("no quorum".to_owned())));
        });
        assert!(refused.is_empty(), "{refused:?}");
    }
}
