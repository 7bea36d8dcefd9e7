//! The tables of keys: those of airlift's discovery server 1.34 (airlift 233), what newer airlift
//! added to the same families, and our own.

use super::values;

/// The kind of value that a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `10s`
    Duration,
    /// `100MB`
    DataSize,
    /// `true`
    Boolean,
    /// A whole number.
    Integer,
    /// Any text.
    Text,
}

impl Kind {
    /// Checks that the value is of this kind.
    ///
    /// # Errors
    /// Returns the reason why it is not.
    pub fn check(self, value: &str) -> Result<(), String> {
        match self {
            Self::Duration => values::duration_ms(value).map(drop),
            Self::DataSize => values::data_size_bytes(value).map(drop),
            Self::Boolean => values::boolean(value).map(drop),
            Self::Integer => values::integer(value, 0, i32::MAX as u64).map(drop),
            Self::Text => Ok(()),
        }
    }
}

/// The keys that [`super::load`] reads.
pub(super) const ACTING: &[&str] = &[
    "node.environment",
    "node.id",
    "node.pool",
    "node.location",
    "node.internal-address",
    "node.internal-address-source",
    "node.prefer-ipv6-address",
    "node.external-address",
    "node.bind-ip",
    "http-server.http.enabled",
    "http-server.http.port",
    "http-server.max-request-header-size",
    "http-server.log.enabled",
    "http-server.log.path",
    "http-server.log.max-size",
    "http-server.log.max-history",
    "http-server.log.compression.enabled",
    "log.levels-file",
    "log.path",
    "log.format",
    "log.console-format",
    "log.enable-console",
    "log.max-size",
    "log.max-total-size",
    "log.compression",
    "service-inventory.uri",
    "discovery.max-age",
    "discovery.recovery-gap",
    "discovery.recovery-grace",
    "discovery.max-announcement-size",
    "discovery.hold-time",
    "discovery.announce-interval",
    "discovery.coordinator-choice",
    "discovery.coordinator-redirect",
    "cluster.auto-rejoin",
    "cluster.heartbeat-interval",
    "cluster.election-timeout",
];

pub(super) const RENAMED: &[(&str, &str)] = &[
    ("node.ip", "node.internal-address"),
    ("log.output-file", "log.path"),
];

/// Keys that are refused if the value enables them: see [`super::keys::Effect::Refused`].
pub(super) const REFUSED: &[(&str, Kind, &str)] = &[
    (
        "http-server.https.enabled",
        Kind::Boolean,
        "TLS is not supported yet, and the server does not fall back to plain text",
    ),
    (
        "http-server.https.automatic-shared-secret",
        Kind::Text,
        "TLS is not supported yet, and the server does not fall back to plain text",
    ),
    (
        "http-server.auth.users-file",
        Kind::Text,
        "authentication is not supported, and the server does not fall back to open access",
    ),
];

pub(super) const DEFUNCT: &[&str] = &[
    "http-server.ip",
    "http-server.https.keystore.password",
    "http-server.log.retention-time",
    "jetty.auth.users-file",
    "jetty.http.enabled",
    "jetty.http.port",
    "jetty.https.enabled",
    "jetty.https.keystore.password",
    "jetty.https.keystore.path",
    "jetty.https.port",
    "jetty.ip",
    "jetty.log.path",
    "jetty.log.retain-days",
    "jetty.net.max-idle-time-ms",
    "jetty.threads.max",
    "jetty.threads.max-idle-time-ms",
    "jetty.threads.min",
    "jmx.rmiserver.hostname",
    "log.legacy-implementation.enabled",
    "log.max-history",
    "log.max-size-in-bytes",
];

/// Keys that are known and have no effect.
#[rustfmt::skip]
pub(super) const IDLE: &[(&str, Kind)] = &[
    ("bootstrap.quiet", Kind::Boolean),
    ("discovery.collector.pool", Kind::Text),
    ("discovery.store-cache-ttl", Kind::Duration),
    ("discovery.uri", Kind::Text),
    ("http-server.accept-queue-size", Kind::Integer),
    ("http-server.admin.enabled", Kind::Boolean),
    ("http-server.admin.port", Kind::Integer),
    ("http-server.admin.threads.max", Kind::Integer),
    ("http-server.admin.threads.min", Kind::Integer),
    ("http-server.compression.enabled", Kind::Boolean),
    ("http-server.http.accept-queue-size", Kind::Integer),
    ("http-server.http.acceptor-threads", Kind::Integer),
    ("http-server.http.selector-threads", Kind::Integer),
    ("http-server.http2.input-buffer-size", Kind::DataSize),
    ("http-server.http2.max-concurrent-streams", Kind::Integer),
    ("http-server.http2.session-receive-window-size", Kind::DataSize),
    ("http-server.http2.stream-idle-timeout", Kind::Duration),
    ("http-server.http2.stream-receive-window-size", Kind::DataSize),
    ("http-server.https.accept-queue-size", Kind::Integer),
    ("http-server.https.acceptor-threads", Kind::Integer),
    ("http-server.https.excluded-cipher", Kind::Text),
    ("http-server.https.included-cipher", Kind::Text),
    ("http-server.https.keymanager.password", Kind::Text),
    ("http-server.https.keystore.key", Kind::Text),
    ("http-server.https.keystore.path", Kind::Text),
    ("http-server.https.keystore.type", Kind::Text),
    ("http-server.https.port", Kind::Integer),
    ("http-server.https.secure-random-algorithm", Kind::Text),
    ("http-server.https.selector-threads", Kind::Integer),
    ("http-server.https.ssl-context.refresh-time", Kind::Duration),
    ("http-server.https.ssl-session-cache-size", Kind::Integer),
    ("http-server.https.ssl-session-timeout", Kind::Duration),
    ("http-server.https.truststore.key", Kind::Text),
    ("http-server.https.truststore.path", Kind::Text),
    ("http-server.https.truststore.type", Kind::Text),
    ("http-server.log.immediate-flush", Kind::Boolean),
    ("http-server.log.queue-size", Kind::Integer),
    ("http-server.max-direct-memory", Kind::DataSize),
    ("http-server.max-heap-memory", Kind::DataSize),
    ("http-server.max-response-header-size", Kind::DataSize),
    ("http-server.net.max-idle-time", Kind::Duration),
    ("http-server.notify-remote-async-errors", Kind::Boolean),
    ("http-server.output-buffer-size", Kind::DataSize),
    // A boolean in airlift 233, and an enum later.
    ("http-server.process-forwarded", Kind::Text),
    ("http-server.show-stack-trace", Kind::Boolean),
    ("http-server.stop-timeout", Kind::Duration),
    ("http-server.threads.max", Kind::Integer),
    ("http-server.threads.max-idle-time", Kind::Duration),
    ("http-server.threads.min", Kind::Integer),
    ("http-server.track-memory-allocations", Kind::Boolean),
    ("jmx-http-rpc.password", Kind::Text),
    ("jmx-http-rpc.username", Kind::Text),
    ("jmx.rmiregistry.port", Kind::Integer),
    ("jmx.rmiserver.port", Kind::Integer),
    ("log.annotation-file", Kind::Text),
    ("node.annotation-file", Kind::Text),
    ("node.annotations", Kind::Text),
    ("node.binary-spec", Kind::Text),
    ("node.config-spec", Kind::Text),
    ("openmetrics.jmx-object-names", Kind::Text),
    ("otel.exporter.endpoint", Kind::Text),
    ("otel.exporter.interval", Kind::Duration),
    ("otel.exporter.log.max-export-batch-size", Kind::Integer),
    ("otel.exporter.log.max-queue-size", Kind::Integer),
    ("otel.exporter.log.schedule-delay", Kind::Duration),
    ("otel.exporter.max-export-batch-size", Kind::Integer),
    ("otel.exporter.protocol", Kind::Text),
    ("otel.exporter.span.max-export-batch-size", Kind::Integer),
    ("otel.exporter.span.max-queue-size", Kind::Integer),
    ("otel.exporter.span.schedule-delay", Kind::Duration),
    ("otel.exporter.tls.client-certificate-path", Kind::Text),
    ("otel.exporter.tls.client-certificate-pem", Kind::Text),
    ("otel.exporter.tls.client-key-password", Kind::Text),
    ("otel.exporter.tls.client-key-path", Kind::Text),
    ("otel.exporter.tls.client-key-pem", Kind::Text),
    ("otel.exporter.tls.trusted-certificates-path", Kind::Text),
    ("otel.exporter.tls.trusted-certificates-pem", Kind::Text),
    ("otel.tracing.baggage.allowed-keys", Kind::Text),
    ("otel.tracing.baggage.max-value-length", Kind::Integer),
    ("otel.tracing.max-attribute-value-length", Kind::Integer),
    ("otel.tracing.sampling-ratio", Kind::Text),
    ("secrets-plugins-dir", Kind::Text),
    ("service-inventory.update-interval", Kind::Duration),
    ("static.db.location", Kind::Text),
    ("tracing.enabled", Kind::Boolean),
    ("tracing.exporter.endpoint", Kind::Text),
    ("tracing.exporter.protocol", Kind::Text),
    ("tracing.sampling-ratio", Kind::Text),
];

/// The stores of airlift's server, whose replication is replaced by the group's log.
pub(super) const STORES: &[&str] = &["dynamic", "static"];

pub(super) const STORE: &[(&str, Kind)] = &[
    ("gc-interval", Kind::Duration),
    ("remote.max-batch-size", Kind::Integer),
    ("remote.queue-size", Kind::Integer),
    ("remote.replication-interval", Kind::Duration),
    ("remote.update-interval", Kind::Duration),
    ("tombstone-max-age", Kind::Duration),
];

/// The HTTP clients of airlift's server. Each accepts every key of [`HTTP_CLIENT`].
pub(super) const CLIENTS: &[&str] = &["discovery", "dynamic", "event", "static"];

#[rustfmt::skip]
pub(super) const HTTP_CLIENT: &[(&str, Kind)] = &[
    ("connect-timeout", Kind::Duration),
    ("destination-idle-timeout", Kind::Duration),
    ("http-proxy", Kind::Text),
    ("http-proxy.password", Kind::Text),
    ("http-proxy.secure", Kind::Boolean),
    ("http-proxy.user", Kind::Text),
    ("http2.enabled", Kind::Boolean),
    ("http2.input-buffer-size", Kind::DataSize),
    ("http2.session-receive-window-size", Kind::DataSize),
    ("http2.stream-receive-window-size", Kind::DataSize),
    ("https.automatic-shared-secret", Kind::Text),
    ("https.excluded-cipher", Kind::Text),
    ("https.hostname-verification", Kind::Boolean),
    ("https.included-cipher", Kind::Text),
    ("idle-timeout", Kind::Duration),
    ("keep-alive-interval", Kind::Duration),
    ("key-store-password", Kind::Text),
    ("key-store-path", Kind::Text),
    ("log.buffer-size", Kind::DataSize),
    ("log.compression.enabled", Kind::Boolean),
    ("log.enabled", Kind::Boolean),
    ("log.flush-interval", Kind::Duration),
    ("log.max-history", Kind::Integer),
    ("log.max-size", Kind::DataSize),
    ("log.path", Kind::Text),
    ("log.queue-size", Kind::Integer),
    ("max-connections", Kind::Integer),
    ("max-connections-per-server", Kind::Integer),
    ("max-content-length", Kind::DataSize),
    ("max-direct-memory", Kind::DataSize),
    ("max-heap-memory", Kind::DataSize),
    ("max-request-header-size", Kind::DataSize),
    ("max-requests-queued-per-destination", Kind::Integer),
    ("max-response-content-length", Kind::DataSize),
    ("max-response-header-size", Kind::DataSize),
    ("max-threads", Kind::Integer),
    ("min-threads", Kind::Integer),
    ("read-timeout", Kind::Duration),
    ("record-request-complete", Kind::Boolean),
    ("request-buffer-size", Kind::DataSize),
    ("request-timeout", Kind::Duration),
    ("response-buffer-size", Kind::DataSize),
    ("secure-random-algorithm", Kind::Text),
    ("selector-count", Kind::Integer),
    ("socks-proxy", Kind::Text),
    ("strict-event-ordering", Kind::Boolean),
    ("tcp-keep-alive-idle-time", Kind::Duration),
    ("timeout-concurrency", Kind::Integer),
    ("timeout-threads", Kind::Integer),
    ("track-memory-allocations", Kind::Boolean),
    ("trust-store-password", Kind::Text),
    ("trust-store-path", Kind::Text),
    ("use-blocking-connect", Kind::Boolean),
    ("use-virtual-threads", Kind::Boolean),
];
