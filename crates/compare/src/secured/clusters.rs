//! The clusters on which loads are measured, with and without each kind of security.

use super::certificate::MadeCertificate;
use super::loads::{SecuredLoad, SecuredSide};
use crate::measure::figures::Slice;
use crate::peers::process::free_ports;
use crate::peers::{Cluster, LoadTarget, NODES, Programs, baseline, https_urls, quorate};
use anyhow::Context;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The secret that nodes share with each other and with engines. It protects nothing but the
/// clusters of one run, on loopback.
const SECRET: &str = "the-secret-of-the-clusters-of-a-benchmark";

/// Returns the lines of config.properties with which nodes prove to each other that they have the
/// secret, over TLS.
pub fn peers_tls() -> String {
    format!("cluster.shared-secret={SECRET}\n")
}

/// The kind of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ClusterKind {
    /// quorate with a port for HTTP and one for HTTPS.
    BothPorts,
    /// The baseline with a port for HTTP and one for HTTPS.
    Baseline,
    TokensOff,
    TokensRequired,
    PeersPlain,
    PeersTls,
}

impl SecuredSide {
    fn kind(self) -> ClusterKind {
        match self {
            SecuredSide::Http | SecuredSide::Https => ClusterKind::BothPorts,
            SecuredSide::BaselineHttp | SecuredSide::BaselineHttps => ClusterKind::Baseline,
            SecuredSide::TokensOff => ClusterKind::TokensOff,
            SecuredSide::TokensRequired => ClusterKind::TokensRequired,
            SecuredSide::PeersPlain => ClusterKind::PeersPlain,
            SecuredSide::PeersTls => ClusterKind::PeersTls,
        }
    }

    fn is_https(self) -> bool {
        matches!(self, SecuredSide::Https | SecuredSide::BaselineHttps)
    }
}

/// A running cluster, with the targets of loads on it.
struct RunningCluster {
    cluster: Cluster,
    /// The target over HTTP.
    http: LoadTarget,
    /// The target over HTTPS, if the cluster serves it.
    https: Option<LoadTarget>,
}

impl RunningCluster {
    /// Wraps a cluster that serves HTTP only, to loads that need no options.
    fn plain(cluster: Cluster) -> RunningCluster {
        RunningCluster {
            http: cluster.plain_target(),
            https: None,
            cluster,
        }
    }

    /// Returns the target on a side of this cluster.
    fn target(&self, side: SecuredSide) -> anyhow::Result<&LoadTarget> {
        match side.is_https() {
            false => Ok(&self.http),
            true => self.https.as_ref().context("the cluster has no HTTPS"),
        }
    }
}

/// The running clusters. Their processes are killed when they are dropped.
pub struct SecuredClusters(BTreeMap<ClusterKind, RunningCluster>);

impl SecuredClusters {
    /// Starts and warms up the clusters of these sides.
    ///
    /// # Errors
    /// Fails if a cluster does not start, or serves no load.
    pub async fn start(
        programs: &Programs,
        dir: &Path,
        certificate: &MadeCertificate,
        sides: impl IntoIterator<Item = SecuredSide>,
    ) -> anyhow::Result<SecuredClusters> {
        let mut clusters = BTreeMap::new();
        for kind in sides.into_iter().map(SecuredSide::kind) {
            if clusters.contains_key(&kind) {
                continue;
            }
            eprintln!("starting and warming up {kind:?}");
            let place = dir.join(format!("{kind:?}"));
            let started = start_one(programs, kind, &place, certificate).await;
            clusters.insert(kind, started.with_context(|| format!("{kind:?}"))?);
        }
        Ok(SecuredClusters(clusters))
    }

    /// Measures a slice of a load on one side.
    ///
    /// # Errors
    /// Fails if the load does not end or prints no figures, or if a node has ended.
    pub async fn measure_slice(
        &mut self,
        side: SecuredSide,
        load: &SecuredLoad,
        round: u32,
        duration: Duration,
    ) -> anyhow::Result<Slice> {
        let running = self.0.get_mut(&side.kind());
        let running = running.context("the cluster was not started")?;
        let target = running.target(side)?.clone();
        let cluster = &mut running.cluster;
        cluster
            .measure_slice_at(&target, &load.task, round, duration)
            .await
    }
}

/// Starts one cluster and warms it up, over HTTPS too if it serves that.
async fn start_one(
    programs: &Programs,
    kind: ClusterKind,
    dir: &Path,
    certificate: &MadeCertificate,
) -> anyhow::Result<RunningCluster> {
    let running = match kind {
        ClusterKind::BothPorts => both_ports(programs, dir, certificate).await?,
        ClusterKind::Baseline => {
            let key_store = &certificate.key_store;
            let (cluster, urls) = baseline::start_with_https(programs, dir, key_store).await?;
            RunningCluster {
                https: Some(https_target(urls, certificate)),
                ..RunningCluster::plain(cluster)
            }
        }
        ClusterKind::PeersPlain => {
            RunningCluster::plain(quorate::start_with(programs, dir, |_| String::new()).await?)
        }
        ClusterKind::PeersTls => {
            RunningCluster::plain(quorate::start_with(programs, dir, |_| peers_tls()).await?)
        }
        ClusterKind::TokensOff => engines(programs, dir, "off").await?,
        ClusterKind::TokensRequired => engines(programs, dir, "require").await?,
    };
    for target in std::iter::once(&running.http).chain(&running.https) {
        running.cluster.warm_up_at(target).await?;
    }
    Ok(running)
}

/// Starts quorate with a port for HTTP and one for HTTPS.
async fn both_ports(
    programs: &Programs,
    dir: &Path,
    certificate: &MadeCertificate,
) -> anyhow::Result<RunningCluster> {
    let ports = free_ports(NODES)?;
    let settings = |index: usize| {
        format!(
            "http-server.https.enabled=true\nhttp-server.https.port={}\n\
             http-server.https.keystore.path={}\n",
            ports[index],
            certificate.key_store.display()
        )
    };
    let cluster = quorate::start_with(programs, dir, settings).await?;
    Ok(RunningCluster {
        https: Some(https_target(https_urls(&ports), certificate)),
        ..RunningCluster::plain(cluster)
    })
}

/// Starts quorate with a secret of the engines, and so with TLS between nodes. `authentication`
/// says whether the nodes check the tokens. The load sends them in both cases, as engines with a
/// secret do, so that the comparison contains only the check.
async fn engines(
    programs: &Programs,
    dir: &Path,
    authentication: &str,
) -> anyhow::Result<RunningCluster> {
    let settings = format!(
        "internal-communication.shared-secret={SECRET}\n\
         discovery.announcement.authentication={authentication}\n"
    );
    let cluster = quorate::start_with(programs, dir, |_| settings.clone()).await?;
    let mut running = RunningCluster::plain(cluster);
    let secret_file = write_secret(dir)?;
    let options = ["--engine-secret-file".into(), secret_file.into()];
    running.http.options.extend(options);
    Ok(running)
}

fn https_target(servers: Vec<String>, certificate: &MadeCertificate) -> LoadTarget {
    let authority = certificate.authority.clone();
    LoadTarget {
        servers,
        options: vec!["--ca-file".into(), authority.into()],
    }
}

/// Writes the secret of the engines to a file for the load generator.
fn write_secret(dir: &Path) -> anyhow::Result<PathBuf> {
    let path = dir.join("engines.secret");
    fs::write(&path, SECRET).with_context(|| path.display().to_string())?;
    Ok(path)
}
