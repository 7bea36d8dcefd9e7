//! `quorate bench`: puts load on a running cluster, and reports how it performs.

mod connection;
mod figures;
mod load;
mod nodes;
mod progress;
mod report;
mod workload;

use super::client::output;
use super::client::query::{ServerList, duration, name, time_limit};
use anyhow::Context;
use clap::Parser;
use connection::HttpConnection;
use load::LoadRunner;
use nodes::SimulatedEngines;
use quorate::clock;
use quorate::config::{exit_code, read_secrets};
use quorate::http::raise_descriptors;
use quorate::security::EngineTokenSigner;
use report::BenchReport;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use workload::{Mix, Workload};

/// Maximum number of clients. Each client has its own connection, and a node accepts some 16,000
/// connections.
const CLIENTS_MAX: u32 = 10_000;
/// Maximum number of requests per second; far more than one process can send.
const RATE_MAX: u32 = 1_000_000;
/// Time for which the tokens of the nodes are valid besides the duration of the load. The nodes are
/// announced and withdrawn in it.
const TOKENS_OUTLAST: Duration = Duration::from_secs(60 * 60);
/// Maximum number of nodes, and of services per node.
const NODES_MAX: u32 = 100_000;
const SERVICES_MAX: u32 = 1_000;

/// Put load on a running cluster and print its throughput and latency.
///
/// Announces nodes of its own first, renews them during the load as engines do, and withdraws them
/// at the end. It changes nothing else, but the cluster is slower for other clients meanwhile.
#[derive(Debug, Parser)]
#[command(name = "quorate bench", bin_name = "quorate bench", version)]
pub struct BenchArguments {
    /// Requests that the clients send.
    #[arg(value_enum)]
    workload: Workload,
    #[command(flatten)]
    servers: ServerList,
    /// Number of concurrent clients, spread over all servers, each with its own connection.
    #[arg(
        long,
        default_value_t = 64,
        value_parser = clap::value_parser!(u32).range(1..=CLIENTS_MAX as i64)
    )]
    clients: u32,
    /// Number of nodes to announce, which lookups return and which are changed and renewed.
    #[arg(
        long,
        default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=NODES_MAX as i64)
    )]
    nodes: u32,
    /// Number of services of each node.
    #[arg(
        long,
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=SERVICES_MAX as i64)
    )]
    services: u32,
    /// Duration of the measurement.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = time_limit)]
    duration: Duration,
    /// Duration of the load before the measurement.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    warm_up: Duration,
    /// Requests per second, sent at this rate even if responses are late: a latency is measured
    /// from the time at which its request was due. Without it, each client sends its next request
    /// as soon as the last one is answered.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=RATE_MAX as i64))]
    rate: Option<u32>,
    /// Shares of the requests of the workload `mix`, in percent.
    #[arg(long, default_value = "lookup=80,renew=15,change=5")]
    mix: Mix,
    /// Interval at which each node is renewed, in addition to the workload.
    #[arg(long, value_name = "DURATION", default_value = "8s", value_parser = time_limit)]
    renew_interval: Duration,
    /// Type of the announced services; no other services may have it.
    #[arg(long, value_name = "TYPE", default_value = "bench", value_parser = name)]
    of_type: String,
    /// File with the secret of the engines (`internal-communication.shared-secret`), with whose
    /// first line each node signs a token that it sends with its announcements.
    #[arg(long, value_name = "FILE")]
    engine_secret_file: Option<PathBuf>,
    /// Leave the nodes announced at the end; they expire.
    #[arg(long)]
    keep: bool,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

impl BenchArguments {
    /// Returns the signer of the nodes' tokens, if there is a secret.
    ///
    /// # Errors
    /// Fails when the file cannot be read, or contains no secret.
    fn engine_token_signer(&self) -> anyhow::Result<Option<EngineTokenSigner>> {
        let Some(path) = &self.engine_secret_file else {
            return Ok(None);
        };
        let secrets = read_secrets(path)
            .with_context(|| format!("--engine-secret-file={}", path.display()))?;
        Ok(Some(EngineTokenSigner::of(secrets.first())))
    }

    /// Returns the time in seconds since 1970 at which the tokens of the nodes expire: long after
    /// the end of the load.
    fn tokens_expire_s(&self) -> u64 {
        let lasts = self
            .warm_up
            .as_secs()
            .saturating_add(self.duration.as_secs());
        let expires_s = (clock::wall_ms() / 1_000).saturating_add(lasts);
        expires_s.saturating_add(TOKENS_OUTLAST.as_secs())
    }
}

/// Runs the command and returns the exit code.
///
/// # Errors
/// Fails when the cluster does not accept the nodes, or the output cannot be written.
pub async fn run(arguments: &BenchArguments) -> anyhow::Result<u8> {
    // Each client needs a file descriptor, and the soft limit is often 1,024. If there are too few
    // descriptors, each connection that cannot be opened reports an error.
    let _ = raise_descriptors();
    let authorization = arguments.servers.authorization()?;
    let servers = connection::addresses(&arguments.servers.server, authorization.as_ref(), || {
        arguments.servers.tls_config()
    })?;
    let signer = arguments.engine_token_signer()?;
    let mut first = HttpConnection::new(servers[0].clone());
    let environment = workload::environment(&mut first, &arguments.of_type).await?;
    let nodes = SimulatedEngines::new(
        environment,
        arguments.of_type.clone(),
        arguments.nodes,
        arguments.services,
    );
    let nodes = Arc::new(match signer {
        None => nodes,
        Some(signer) => nodes.prove_by(&signer, arguments.tokens_expire_s()),
    });
    nodes.announce_all(&servers).await?;
    let renewing = nodes
        .clone()
        .keep_renewed(&servers, arguments.renew_interval);
    let load = LoadRunner {
        servers: servers.clone(),
        clients: arguments.clients,
        workload: arguments.workload,
        mix: arguments.mix,
        rate: arguments.rate,
        warm_up: arguments.warm_up,
        duration: arguments.duration,
    };
    let measured_from_ms = clock::wall_ms() + load.warm_up.as_millis() as u64;
    let figures = load.run(&nodes).await;
    match renewing.stop().await {
        0 => {}
        failed => figures.note_errors("a background renewal failed".to_owned(), failed),
    }
    if !arguments.keep {
        nodes.withdraw_all(&servers).await;
    }
    let report = BenchReport::of(&load, &nodes, &figures, measured_from_ms);
    let text = match arguments.json {
        true => report.to_json(),
        false => report.to_string(),
    };
    output::line(text.trim_end())?;
    Ok(match report.is_flawless() {
        true => exit_code::OK,
        false => exit_code::NOT_READY,
    })
}
