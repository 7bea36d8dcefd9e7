//! Starts a cluster of any kind of server.

use super::cluster::Cluster;
use super::programs::{Programs, output};
use super::{airlift, baseline, etcd, quorate};
use crate::measure::tasks::Name;
use anyhow::Context;
use std::path::Path;
use tokio::process::Command;

impl Programs {
    /// Returns the version that a server reports, for the results.
    pub async fn version(&self, name: Name) -> String {
        let said = match name {
            Name::Quorate => output(Command::new(&self.quorate).arg("--version")).await,
            Name::Airlift => Ok(airlift::VERSION.to_owned()),
            Name::Etcd => etcd::version(self).await,
            Name::Baseline => Ok("axum 0.8".to_owned()),
        };
        said.unwrap_or_else(|why| format!("unknown ({why:#})"))
    }

    /// Starts three nodes with empty directories, and returns when each of them serves.
    ///
    /// # Errors
    /// Fails if a node does not serve in time. If a node ended, the error contains the end of its
    /// log.
    pub async fn start(&self, name: Name, dir: &Path) -> anyhow::Result<Cluster> {
        let started = async {
            match name {
                Name::Quorate => quorate::start(self, dir).await,
                Name::Airlift => airlift::start(self, dir).await,
                Name::Etcd => etcd::start(self, dir).await,
                Name::Baseline => baseline::start(self, dir).await,
            }
        };
        started
            .await
            .with_context(|| format!("{name} does not start"))
    }
}
