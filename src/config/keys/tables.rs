//! The tables of the keys that are read, refused or ignored.
//!
//! The keys are quorate's own, those of airlift's discovery server 1.34 (airlift 233), and the keys
//! that newer airlift added to the same families.

use crate::config::values;

/// The kind of value that a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A duration, such as `10s`.
    Duration,
    /// A data size, such as `100MB`.
    DataSize,
    /// `true` or `false`, in any case.
    Boolean,
    /// A whole number.
    Integer,
    /// Any text.
    Text,
}

impl ValueKind {
    /// Checks that the value is of this kind.
    ///
    /// # Errors
    /// Returns the reason why the value is not of this kind.
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

/// The keys that [`crate::config::load`] reads.
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
    "http-server.https.enabled",
    "http-server.https.port",
    "http-server.https.automatic-shared-secret",
    "http-server.https.keystore.path",
    "http-server.https.keystore.key",
    "http-server.https.keymanager.password",
    "http-server.https.truststore.path",
    "http-server.https.truststore.key",
    "http-server.https.included-cipher",
    "http-server.https.excluded-cipher",
    "http-server.https.ssl-context.refresh-time",
    "http-server.https.ssl-session-timeout",
    "http-server.max-request-header-size",
    "http-server.log.enabled",
    "http-server.log.path",
    "http-server.log.max-size",
    "http-server.log.max-history",
    "http-server.log.compression.enabled",
    "audit.log.enabled",
    "audit.log.path",
    "audit.log.max-size",
    "audit.log.max-history",
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
    "cluster.shared-secret",
    "cluster.shared-secret-file",
    "cluster.peer-authentication",
    "cluster.tokens-file",
    "internal-communication.shared-secret",
    "internal-communication.shared-secret-file",
    "discovery.announcement.authentication",
    "discovery.announcement.trusted-addresses",
    "discovery.read-authentication",
];

/// Old names of keys, with their new names.
pub(super) const RENAMED: &[(&str, &str)] = &[
    ("node.ip", "node.internal-address"),
    ("log.output-file", "log.path"),
];

/// Keys that are refused if the value enables them ([`super::KeyEffect::Refused`]).
pub(super) const REFUSED: &[(&str, ValueKind, &str)] = &[(
    "http-server.auth.users-file",
    ValueKind::Text,
    "engines cannot send a password, and the server does not fall back to open access; people have \
         cluster.tokens-file",
)];

/// Keys that both airlift and this server refuse ([`super::KeyEffect::Defunct`]).
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

/// Keys that are accepted and ignored ([`super::KeyEffect::None`]).
#[rustfmt::skip]
pub(super) const IGNORED: &[(&str, ValueKind)] = &[
    ("bootstrap.quiet", ValueKind::Boolean),
    ("discovery.collector.pool", ValueKind::Text),
    ("discovery.store-cache-ttl", ValueKind::Duration),
    ("discovery.uri", ValueKind::Text),
    ("http-server.accept-queue-size", ValueKind::Integer),
    ("http-server.admin.enabled", ValueKind::Boolean),
    ("http-server.admin.port", ValueKind::Integer),
    ("http-server.admin.threads.max", ValueKind::Integer),
    ("http-server.admin.threads.min", ValueKind::Integer),
    ("http-server.compression.enabled", ValueKind::Boolean),
    ("http-server.http.accept-queue-size", ValueKind::Integer),
    ("http-server.http.acceptor-threads", ValueKind::Integer),
    ("http-server.http.selector-threads", ValueKind::Integer),
    ("http-server.http2.input-buffer-size", ValueKind::DataSize),
    ("http-server.http2.max-concurrent-streams", ValueKind::Integer),
    ("http-server.http2.session-receive-window-size", ValueKind::DataSize),
    ("http-server.http2.stream-idle-timeout", ValueKind::Duration),
    ("http-server.http2.stream-receive-window-size", ValueKind::DataSize),
    ("http-server.https.accept-queue-size", ValueKind::Integer),
    ("http-server.https.acceptor-threads", ValueKind::Integer),
    ("http-server.https.keystore.type", ValueKind::Text),
    ("http-server.https.secure-random-algorithm", ValueKind::Text),
    ("http-server.https.selector-threads", ValueKind::Integer),
    ("http-server.https.ssl-session-cache-size", ValueKind::Integer),
    ("http-server.https.truststore.type", ValueKind::Text),
    ("http-server.log.immediate-flush", ValueKind::Boolean),
    ("http-server.log.queue-size", ValueKind::Integer),
    ("http-server.max-direct-memory", ValueKind::DataSize),
    ("http-server.max-heap-memory", ValueKind::DataSize),
    ("http-server.max-response-header-size", ValueKind::DataSize),
    ("http-server.net.max-idle-time", ValueKind::Duration),
    ("http-server.notify-remote-async-errors", ValueKind::Boolean),
    ("http-server.output-buffer-size", ValueKind::DataSize),
    // This key takes any text, since its value is a boolean in airlift 233 and an enum in newer
    // airlift.
    ("http-server.process-forwarded", ValueKind::Text),
    ("http-server.show-stack-trace", ValueKind::Boolean),
    ("http-server.stop-timeout", ValueKind::Duration),
    ("http-server.threads.max", ValueKind::Integer),
    ("http-server.threads.max-idle-time", ValueKind::Duration),
    ("http-server.threads.min", ValueKind::Integer),
    ("http-server.track-memory-allocations", ValueKind::Boolean),
    ("jmx-http-rpc.password", ValueKind::Text),
    ("jmx-http-rpc.username", ValueKind::Text),
    ("jmx.rmiregistry.port", ValueKind::Integer),
    ("jmx.rmiserver.port", ValueKind::Integer),
    ("log.annotation-file", ValueKind::Text),
    ("node.annotation-file", ValueKind::Text),
    ("node.annotations", ValueKind::Text),
    ("node.binary-spec", ValueKind::Text),
    ("node.config-spec", ValueKind::Text),
    ("openmetrics.jmx-object-names", ValueKind::Text),
    ("otel.exporter.endpoint", ValueKind::Text),
    ("otel.exporter.interval", ValueKind::Duration),
    ("otel.exporter.log.max-export-batch-size", ValueKind::Integer),
    ("otel.exporter.log.max-queue-size", ValueKind::Integer),
    ("otel.exporter.log.schedule-delay", ValueKind::Duration),
    ("otel.exporter.max-export-batch-size", ValueKind::Integer),
    ("otel.exporter.protocol", ValueKind::Text),
    ("otel.exporter.span.max-export-batch-size", ValueKind::Integer),
    ("otel.exporter.span.max-queue-size", ValueKind::Integer),
    ("otel.exporter.span.schedule-delay", ValueKind::Duration),
    ("otel.exporter.tls.client-certificate-path", ValueKind::Text),
    ("otel.exporter.tls.client-certificate-pem", ValueKind::Text),
    ("otel.exporter.tls.client-key-password", ValueKind::Text),
    ("otel.exporter.tls.client-key-path", ValueKind::Text),
    ("otel.exporter.tls.client-key-pem", ValueKind::Text),
    ("otel.exporter.tls.trusted-certificates-path", ValueKind::Text),
    ("otel.exporter.tls.trusted-certificates-pem", ValueKind::Text),
    ("otel.tracing.baggage.allowed-keys", ValueKind::Text),
    ("otel.tracing.baggage.max-value-length", ValueKind::Integer),
    ("otel.tracing.max-attribute-value-length", ValueKind::Integer),
    ("otel.tracing.sampling-ratio", ValueKind::Text),
    ("secrets-plugins-dir", ValueKind::Text),
    ("service-inventory.update-interval", ValueKind::Duration),
    ("static.db.location", ValueKind::Text),
    ("tracing.enabled", ValueKind::Boolean),
    ("tracing.exporter.endpoint", ValueKind::Text),
    ("tracing.exporter.protocol", ValueKind::Text),
    ("tracing.sampling-ratio", ValueKind::Text),
];

/// The stores of airlift's server. The group's log replaces the replication of these stores.
pub(super) const STORES: &[&str] = &["dynamic", "static"];

/// Keys of each of the [`STORES`], without effect here.
pub(super) const STORE: &[(&str, ValueKind)] = &[
    ("gc-interval", ValueKind::Duration),
    ("remote.max-batch-size", ValueKind::Integer),
    ("remote.queue-size", ValueKind::Integer),
    ("remote.replication-interval", ValueKind::Duration),
    ("remote.update-interval", ValueKind::Duration),
    ("tombstone-max-age", ValueKind::Duration),
];

/// The HTTP clients of airlift's server. Each accepts every key of [`HTTP_CLIENT`].
pub(super) const CLIENTS: &[&str] = &["discovery", "dynamic", "event", "static"];

/// Keys of each of the [`CLIENTS`], without effect here.
#[rustfmt::skip]
pub(super) const HTTP_CLIENT: &[(&str, ValueKind)] = &[
    ("connect-timeout", ValueKind::Duration),
    ("destination-idle-timeout", ValueKind::Duration),
    ("http-proxy", ValueKind::Text),
    ("http-proxy.password", ValueKind::Text),
    ("http-proxy.secure", ValueKind::Boolean),
    ("http-proxy.user", ValueKind::Text),
    ("http2.enabled", ValueKind::Boolean),
    ("http2.input-buffer-size", ValueKind::DataSize),
    ("http2.session-receive-window-size", ValueKind::DataSize),
    ("http2.stream-receive-window-size", ValueKind::DataSize),
    ("https.automatic-shared-secret", ValueKind::Text),
    ("https.excluded-cipher", ValueKind::Text),
    ("https.hostname-verification", ValueKind::Boolean),
    ("https.included-cipher", ValueKind::Text),
    ("idle-timeout", ValueKind::Duration),
    ("keep-alive-interval", ValueKind::Duration),
    ("key-store-password", ValueKind::Text),
    ("key-store-path", ValueKind::Text),
    ("log.buffer-size", ValueKind::DataSize),
    ("log.compression.enabled", ValueKind::Boolean),
    ("log.enabled", ValueKind::Boolean),
    ("log.flush-interval", ValueKind::Duration),
    ("log.max-history", ValueKind::Integer),
    ("log.max-size", ValueKind::DataSize),
    ("log.path", ValueKind::Text),
    ("log.queue-size", ValueKind::Integer),
    ("max-connections", ValueKind::Integer),
    ("max-connections-per-server", ValueKind::Integer),
    ("max-content-length", ValueKind::DataSize),
    ("max-direct-memory", ValueKind::DataSize),
    ("max-heap-memory", ValueKind::DataSize),
    ("max-request-header-size", ValueKind::DataSize),
    ("max-requests-queued-per-destination", ValueKind::Integer),
    ("max-response-content-length", ValueKind::DataSize),
    ("max-response-header-size", ValueKind::DataSize),
    ("max-threads", ValueKind::Integer),
    ("min-threads", ValueKind::Integer),
    ("read-timeout", ValueKind::Duration),
    ("record-request-complete", ValueKind::Boolean),
    ("request-buffer-size", ValueKind::DataSize),
    ("request-timeout", ValueKind::Duration),
    ("response-buffer-size", ValueKind::DataSize),
    ("secure-random-algorithm", ValueKind::Text),
    ("selector-count", ValueKind::Integer),
    ("socks-proxy", ValueKind::Text),
    ("strict-event-ordering", ValueKind::Boolean),
    ("tcp-keep-alive-idle-time", ValueKind::Duration),
    ("timeout-concurrency", ValueKind::Integer),
    ("timeout-threads", ValueKind::Integer),
    ("track-memory-allocations", ValueKind::Boolean),
    ("trust-store-password", ValueKind::Text),
    ("trust-store-path", ValueKind::Text),
    ("use-blocking-connect", ValueKind::Boolean),
    ("use-virtual-threads", ValueKind::Boolean),
];
