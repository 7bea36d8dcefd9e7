//! A cluster of one map, which can be told to fail.

use crate::clock::Instant;
use crate::http::Discovery;
use crate::model::{Announcement, Lookup, StaticService, write_json_service};
use crate::raft::{Answer, GroupState, Role, Status, Unavailable, WriteError};
use crate::registry::Rendered;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

/// How it answers from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// At once.
    Well,
    /// Surely nothing done.
    No,
    /// Nobody knows.
    Unknown,
    /// Not at all.
    Silent,
}

#[derive(Clone)]
pub(super) struct Lone(Arc<Inner>);

struct Inner {
    held: Mutex<Held>,
    mode: Mutex<Mode>,
    /// Told of each request that [`Mode::Silent`] leaves waiting.
    asked: Notify,
}

#[derive(Default)]
struct Held {
    index: u64,
    nodes: BTreeMap<String, Announcement>,
    statics: BTreeMap<String, StaticService>,
}

impl Held {
    fn json(&self, lookup: &Lookup) -> Vec<u8> {
        let wanted = |service_type: &str, pool: &str| match lookup {
            Lookup::All | Lookup::Statics => true,
            Lookup::Type(wanted) => wanted == service_type,
            Lookup::TypeAndPool(wanted, wanted_pool) => {
                wanted == service_type && wanted_pool == pool
            }
        };
        let mut services = Vec::new();
        let mut show = |id: &str,
                        node: Option<&str>,
                        about: [&str; 3],
                        properties: &BTreeMap<String, String>| {
            if wanted(about[0], about[1]) && (node.is_none() || *lookup != Lookup::Statics) {
                let mut json = Vec::new();
                write_json_service(
                    &mut json,
                    id,
                    node,
                    about,
                    properties.iter().map(|(k, v)| (k.as_str(), v.as_str())),
                );
                services.push(String::from_utf8(json).expect("JSON is text"));
            }
        };
        for held in self.nodes.values() {
            for service in &held.services {
                let about = [
                    service.service_type.as_str(),
                    held.pool.as_str(),
                    held.location.as_str(),
                ];
                show(&service.id, Some(&held.node_id), about, &service.properties);
            }
        }
        for held in self.statics.values() {
            show(
                &held.id,
                None,
                [&held.service_type, &held.pool, &held.location],
                &held.properties,
            );
        }
        format!(
            "{{\"environment\":\"test\",\"services\":[{}]}}",
            services.join(",")
        )
        .into_bytes()
    }
}

impl Lone {
    pub(super) fn new() -> Lone {
        Lone(Arc::new(Inner {
            held: Mutex::default(),
            mode: Mutex::new(Mode::Well),
            asked: Notify::new(),
        }))
    }

    pub(super) fn set(&self, mode: Mode) {
        *self.0.mode.lock().expect("no panic") = mode;
    }

    pub(super) async fn asked(&self) {
        self.0.asked.notified().await;
    }

    pub(super) fn applied(&self) -> u64 {
        self.0.held.lock().expect("no panic").index
    }

    async fn mode(&self) -> Mode {
        let mode = *self.0.mode.lock().expect("no panic");
        if mode == Mode::Silent {
            self.0.asked.notify_one();
            std::future::pending::<()>().await;
        }
        mode
    }

    async fn write(&self, change: impl FnOnce(&mut Held)) -> Result<u64, WriteError> {
        match self.mode().await {
            Mode::No => return Err(WriteError::NotApplied("no leader".to_owned())),
            Mode::Unknown => return Err(WriteError::Unknown("the leader went away".to_owned())),
            Mode::Well | Mode::Silent => {}
        }
        let mut held = self.0.held.lock().expect("no panic");
        change(&mut held);
        held.index += 1;
        Ok(held.index)
    }
}

impl Discovery for Lone {
    async fn lookup(&self, lookup: &Lookup, _: Instant) -> Result<Answer, Unavailable> {
        match self.mode().await {
            Mode::Well => self.lookup_stale(lookup),
            _ => Err(Unavailable {
                reason: "no\nquorum".to_owned(),
            }),
        }
    }

    fn lookup_stale(&self, lookup: &Lookup) -> Result<Answer, Unavailable> {
        let held = self.0.held.lock().expect("no panic");
        Ok(Answer {
            rendered: Arc::new(Rendered::new(held.json(lookup))),
            index: held.index,
        })
    }

    async fn announce(&self, announcement: Announcement, _: Instant) -> Result<u64, WriteError> {
        self.write(|held| {
            drop(
                held.nodes
                    .insert(announcement.node_id.clone(), announcement),
            )
        })
        .await
    }

    async fn withdraw(&self, node_id: String, _: Instant) -> Result<u64, WriteError> {
        self.write(|held| drop(held.nodes.remove(&node_id))).await
    }

    async fn add_static(&self, service: StaticService, _: Instant) -> Result<u64, WriteError> {
        self.write(|held| drop(held.statics.insert(service.id.clone(), service)))
            .await
    }

    async fn remove_static(&self, id: String, _: Instant) -> Result<u64, WriteError> {
        self.write(|held| drop(held.statics.remove(&id))).await
    }

    fn status(&self) -> Status {
        Status {
            node: "lone".to_owned(),
            role: Role::Leader,
            leader: Some("lone".to_owned()),
            term: 1,
            applied: self.applied(),
            services: 0,
            members: Vec::new(),
            group: GroupState::default(),
        }
    }

    fn ready(&self) -> Result<(), String> {
        match *self.0.mode.lock().expect("no panic") {
            Mode::Well => Ok(()),
            mode => Err(format!("{mode:?}")),
        }
    }

    /// Says the epoch, then repeats what it hears.
    async fn serve_peer<IO>(&self, mut io: IO, opened_epoch: u64)
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
