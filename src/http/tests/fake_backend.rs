//! A backend with a bare registry in place of the Raft group. Tests can make the backend fail.

use crate::clock::Instant;
use crate::http::Backend;
use crate::model::{
    Announcement, BadAnnouncement, CoordinatorQuery, Coordinators, Lookup, StaticService,
};
use crate::raft::{
    GroupSample, GroupState, LookupProgress, LookupResult, NodeSample, PeerCredentials, PeerProof,
    RegisteredCheck, Role, SecurityStatus, Status, Unavailable, WatchHub, Watcher, WriteError,
};
use crate::registry::{Batch, Command, Registry};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

/// The behaviour of the backend from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Responds immediately.
    Well,
    /// Fails, with nothing applied.
    No,
    /// Fails, and a write has an unknown outcome.
    Unknown,
    /// Does not respond at all.
    Silent,
}

/// A handle of the fake backend.
#[derive(Clone)]
pub(super) struct FakeBackend(Arc<FakeBackendState>);

struct FakeBackendState {
    registry: Mutex<Registry>,
    hub: WatchHub,
    mode: Mutex<Mode>,
    /// A signal for each request that [`Mode::Silent`] leaves waiting.
    asked: Notify,
}

impl FakeBackend {
    pub(super) fn new() -> FakeBackend {
        FakeBackend(Arc::new(FakeBackendState {
            registry: Mutex::new(Registry::new("test")),
            hub: WatchHub::new(0xa1, 0),
            mode: Mutex::new(Mode::Well),
            asked: Notify::new(),
        }))
    }

    /// Sets the reason why the local state may be stale, which is sent to waiting clients. `None`
    /// clears the reason.
    pub(super) fn set_lost(&self, reason: Option<&str>) {
        self.0.hub.set_unavailable(reason.map(str::to_owned));
    }

    /// Returns the number of waiting clients, counted by their subscriptions.
    pub(super) fn followed(&self) -> usize {
        self.0.hub.subscriptions()
    }

    /// Simulates the installation of a snapshot, which may change the state and discards its
    /// history.
    pub(super) fn install(&self, change: impl FnOnce(&mut Registry)) {
        let mut registry = self.registry();
        change(&mut registry);
        self.0.hub.start_over(registry.applied_index());
    }

    /// Installs a snapshot of the current state.
    pub(super) fn forget_changes(&self) {
        self.install(|_| {});
    }

    pub(super) fn set(&self, mode: Mode) {
        *self.0.mode.lock().expect("no panic") = mode;
    }

    /// Whether an announcement of a node is registered.
    #[cfg(test)]
    pub(super) fn lists(&self, node_id: &str) -> bool {
        self.registry().held(node_id).is_some()
    }

    /// Waits for a request that [`Mode::Silent`] leaves waiting.
    pub(super) async fn asked(&self) {
        self.0.asked.notified().await;
    }

    pub(super) fn applied(&self) -> u64 {
        self.registry().applied_index()
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.registry.lock().expect("no panic")
    }

    async fn mode(&self) -> Mode {
        let mode = *self.0.mode.lock().expect("no panic");
        if mode == Mode::Silent {
            self.0.asked.notify_one();
            std::future::pending::<()>().await;
        }
        mode
    }

    async fn confirmed(&self, deadline: Instant) -> Result<(), Unavailable> {
        match tokio::time::timeout_at(deadline, self.mode()).await {
            Ok(Mode::Well) => Ok(()),
            _ => Err(reported("no\nquorum")),
        }
    }

    async fn write(
        &self,
        deadline: Instant,
        command: impl FnOnce(u64) -> Command,
    ) -> Result<u64, WriteError> {
        match tokio::time::timeout_at(deadline, self.mode()).await {
            Ok(Mode::No) => Err(WriteError::NotApplied(reported("no leader"))),
            Ok(Mode::Unknown) => Err(WriteError::Unknown(reported("the leader went away"))),
            Ok(Mode::Well) => Ok(self.apply(command)),
            Ok(Mode::Silent) | Err(_) => Err(WriteError::Unknown(reported("nobody answered"))),
        }
    }

    /// Applies a command as the next log entry, and notifies the watchers. Returns the entry's
    /// index.
    pub(super) fn apply(&self, command: impl FnOnce(u64) -> Command) -> u64 {
        let mut registry = self.registry();
        let index = registry.applied_index();
        registry.apply(index + 1, &batch(command(index)));
        let changes = registry.take_changes();
        self.0.hub.keep(&changes);
        drop(registry);
        self.0.hub.notify(&changes);
        index + 1
    }
}

/// Returns a log entry with one command.
pub(super) fn batch(command: Command) -> Batch {
    Batch {
        max_age_ms: 30_000,
        step_ms: 1_000,
        commands: vec![command],
    }
}

fn reported(reason: &str) -> Unavailable {
    Unavailable::Reported(reason.to_owned())
}

impl FakeBackend {
    /// Runs the check of a client, as the group does before it proposes a write.
    fn run(&self, check: Option<RegisteredCheck<'_>>, node_id: &str) -> Result<(), WriteError> {
        let registered = self
            .registry()
            .held(node_id)
            .map(|entry| entry.announcement());
        match check {
            Some(check) => check(registered.as_ref()).map_err(WriteError::NotPermitted),
            None => Ok(()),
        }
    }
}

impl Backend for FakeBackend {
    async fn lookup(
        &self,
        lookup: &Lookup,
        deadline: Instant,
    ) -> Result<LookupResult, Unavailable> {
        self.confirmed(deadline).await?;
        self.lookup_stale(lookup)
    }

    fn lookup_stale(&self, lookup: &Lookup) -> Result<LookupResult, Unavailable> {
        let registry = self.registry();
        Ok(LookupResult {
            rendered: registry.lookup(lookup),
            index: registry.applied_index(),
            changed_index: registry.changed_index(lookup),
        })
    }

    async fn coordinators(
        &self,
        query: &CoordinatorQuery,
        deadline: Instant,
    ) -> Result<(Coordinators, u64), Unavailable> {
        self.confirmed(deadline).await?;
        self.coordinators_stale(query)
    }

    fn coordinators_stale(
        &self,
        query: &CoordinatorQuery,
    ) -> Result<(Coordinators, u64), Unavailable> {
        let registry = self.registry();
        Ok((registry.coordinators(query), registry.applied_index()))
    }

    fn progress(&self, lookup: &Lookup) -> Result<LookupProgress, Unavailable> {
        Ok(self.lookup_stale(lookup)?.progress())
    }

    fn watch(&self, lookups: &[Lookup]) -> Result<Watcher, Unavailable> {
        Ok(self.0.hub.watch(lookups))
    }

    async fn renew_or_announce(
        &self,
        node_id: &str,
        digest: u128,
        mut announcement: impl FnMut() -> Result<Announcement, BadAnnouncement> + Send,
        check: Option<RegisteredCheck<'_>>,
        deadline: Instant,
    ) -> Result<u64, WriteError> {
        self.run(check, node_id)?;
        if self.registry().holds(node_id, digest) {
            let node_id = node_id.to_owned();
            let renew = |seen| Command::Renew {
                seen,
                node_id,
                digest,
            };
            return self.write(deadline, renew).await;
        }
        let announcement = announcement().map_err(|error| WriteError::NotApplied(error.into()))?;
        if let Some(objection) = self.registry().objection(&announcement) {
            return Err(WriteError::Refused(objection));
        }
        self.write(deadline, |seen| Command::Announce { seen, announcement })
            .await
    }

    async fn withdraw(
        &self,
        node_id: String,
        check: Option<RegisteredCheck<'_>>,
        deadline: Instant,
    ) -> Result<u64, WriteError> {
        self.run(check, &node_id)?;
        self.write(deadline, |seen| Command::Withdraw { seen, node_id })
            .await
    }

    async fn add_static(
        &self,
        service: StaticService,
        deadline: Instant,
    ) -> Result<u64, WriteError> {
        self.write(deadline, |_| Command::AddStatic(service)).await
    }

    async fn remove_static(&self, id: String, deadline: Instant) -> Result<u64, WriteError> {
        self.write(deadline, |_| Command::RemoveStatic { id }).await
    }

    fn announced_property(&self, node_id: &str, name: &str) -> Option<String> {
        let registry = self.registry();
        let announcement = registry.held(node_id)?.announcement();
        let mut services = announcement.services.iter();
        services.find_map(|service| service.properties.get(name).map(str::to_owned))
    }

    fn status(&self) -> Status {
        Status {
            node: "lone".to_owned(),
            role: Role::Leader,
            leader: Some("lone".to_owned()),
            term: 1,
            applied: self.applied(),
            services: 0,
            security: SecurityStatus::None,
            failure_tolerance: Some(0),
            members: Vec::new(),
            group: GroupState::default(),
        }
    }

    async fn sample(&self) -> NodeSample {
        NodeSample {
            status: Backend::status(self),
            log_bytes: 0,
            disk: None,
            snapshot_bytes: None,
            group: Some(GroupSample {
                nodes: self.registry().node_count(),
                ..GroupSample::default()
            }),
        }
    }

    fn ready(&self) -> Result<(), Unavailable> {
        match *self.0.mode.lock().expect("no panic") {
            Mode::Well => Ok(()),
            mode => Err(reported(&format!("{mode:?}"))),
        }
    }

    fn peer_credentials(&self) -> Option<PeerCredentials> {
        None
    }

    fn accepts_plain_peers(&self) -> bool {
        true
    }

    /// Writes the epoch, and echoes all bytes that it reads.
    async fn serve_peer<IO>(&self, mut io: IO, _proof: PeerProof, opened_epoch: u64)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut bytes = [0; 16];
        let _ = io.write_all(&opened_epoch.to_be_bytes()).await;
        while let Ok(read @ 1..) = io.read(&mut bytes).await {
            let _ = io.write_all(&bytes[..read]).await;
        }
    }
}
