//! Every key that airlift's discovery server 1.34 (airlift 233) accepts, what newer airlift added to the same families,
//! and our own: which of them do something here, and what kind of value the others must have.

use super::values;

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is read by [`super::load`].
    Acts,
    /// It is accepted, its value is checked, and it does nothing; said once at start.
    None(Kind),
    /// An old name of the named key.
    Renamed(&'static str),
    /// airlift refuses it.
    Defunct,
    /// It promises what is not built: the server does not start rather than run without.
    Refused(Kind, &'static str),
}

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
    /// Anything.
    Text,
}

impl Kind {
    /// Whether the value is of this kind.
    ///
    /// # Errors
    /// The reason why not.
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

/// What becomes of `key`; none when it is unknown.
pub fn effect(key: &str) -> Option<Effect> {
    if ACTING.contains(&key) {
        return Some(Effect::Acts);
    }
    if let Some((_, new)) = RENAMED.iter().find(|(old, _)| *old == key) {
        return Some(Effect::Renamed(new));
    }
    if let Some((_, kind, why)) = REFUSED.iter().find(|(name, ..)| *name == key) {
        return Some(Effect::Refused(*kind, why));
    }
    if DEFUNCT.contains(&key) {
        return Some(Effect::Defunct);
    }
    let idle = find(IDLE, key).or_else(|| {
        STORES
            .iter()
            .find_map(|store| find(STORE, key.strip_prefix(store)?.strip_prefix(".store.")?))
    });
    idle.map(Effect::None).or_else(|| http_client(key))
}

/// Every known name, for suggestions.
pub fn all() -> Vec<String> {
    let plain = ACTING
        .iter()
        .copied()
        .chain(REFUSED.iter().map(|(name, ..)| *name))
        .chain(IDLE.iter().map(|(name, _)| *name));
    let stores = STORES.iter().flat_map(|store| {
        STORE
            .iter()
            .map(move |(name, _)| format!("{store}.store.{name}"))
    });
    let clients = CLIENTS.iter().flat_map(|client| {
        HTTP_CLIENT
            .iter()
            .map(move |(name, _)| format!("{client}.http-client.{name}"))
    });
    plain
        .map(str::to_owned)
        .chain(stores)
        .chain(clients)
        .collect()
}

/// The keys that are most like an unknown one, best first, with airlift's measure and threshold.
pub fn similar(key: &str) -> Vec<String> {
    const RATIO_MIN: f64 = 0.85;
    const SUGGESTIONS_MAX: usize = 3;
    let mut scored: Vec<(f64, String)> = all()
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&known, key), known))
        .filter(|(ratio, _)| *ratio > RATIO_MIN)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored
        .into_iter()
        .take(SUGGESTIONS_MAX)
        .map(|(_, known)| known)
        .collect()
}

/// Whether a message must not repeat the key's value.
pub fn is_secret(key: &str) -> bool {
    ["password", "secret", ".key", "-key-pem"]
        .iter()
        .any(|part| key.ends_with(part))
}

fn find(table: &[(&str, Kind)], key: &str) -> Option<Kind> {
    table
        .iter()
        .find(|(name, _)| *name == key)
        .map(|(_, kind)| *kind)
}

fn http_client(key: &str) -> Option<Effect> {
    let name = CLIENTS
        .iter()
        .find_map(|client| key.strip_prefix(client)?.strip_prefix('.'))?;
    if name.starts_with("http.authentication.krb5.")
        || name.starts_with("http-client.authentication.")
    {
        return Some(Effect::Defunct);
    }
    find(HTTP_CLIENT, name.strip_prefix("http-client.")?).map(Effect::None)
}

/// The keys that [`super::load`] reads.
const ACTING: &[&str] = &[
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

const RENAMED: &[(&str, &str)] = &[
    ("node.ip", "node.internal-address"),
    ("log.output-file", "log.path"),
];

/// Refused when the value asks for something: see [`Effect::Refused`].
const REFUSED: &[(&str, Kind, &str)] = &[
    (
        "http-server.https.enabled",
        Kind::Boolean,
        "TLS is not supported yet, and plain text is not served in its place",
    ),
    (
        "http-server.https.automatic-shared-secret",
        Kind::Text,
        "TLS is not supported yet, and plain text is not served in its place",
    ),
    (
        "http-server.auth.users-file",
        Kind::Text,
        "authentication is not supported, and open access is not given in its place",
    ),
];

const DEFUNCT: &[&str] = &[
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

/// Known and without effect.
#[rustfmt::skip]
const IDLE: &[(&str, Kind)] = &[
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
    // airlift takes a boolean in 233 and an enum later.
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

/// The stores of airlift's server, whose replication the group's log replaces.
const STORES: &[&str] = &["dynamic", "static"];

const STORE: &[(&str, Kind)] = &[
    ("gc-interval", Kind::Duration),
    ("remote.max-batch-size", Kind::Integer),
    ("remote.queue-size", Kind::Integer),
    ("remote.replication-interval", Kind::Duration),
    ("remote.update-interval", Kind::Duration),
    ("tombstone-max-age", Kind::Duration),
];

/// The HTTP clients of airlift's server: each takes every key of [`HTTP_CLIENT`].
const CLIENTS: &[&str] = &["discovery", "dynamic", "event", "static"];

#[rustfmt::skip]
const HTTP_CLIENT: &[(&str, Kind)] = &[
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of airlift 233's 41 keys of an HTTP client is known under each client's prefix.
    #[test]
    fn http_client_keys() {
        assert_eq!(
            effect("dynamic.http-client.connect-timeout"),
            Some(Effect::None(Kind::Duration))
        );
        assert_eq!(
            effect("event.http-client.log.compression.enabled"),
            Some(Effect::None(Kind::Boolean))
        );
        assert_eq!(
            effect("discovery.http-client.authentication.enabled"),
            Some(Effect::Defunct)
        );
        assert_eq!(effect("other.http-client.connect-timeout"), None);
        assert_eq!(effect("http-client.connect-timeout"), None);
    }

    /// No key stands in two tables: it would have two effects.
    #[test]
    fn tables_are_disjoint() {
        let mut names = all();
        names.extend(RENAMED.iter().map(|(old, _)| (*old).to_owned()));
        names.extend(DEFUNCT.iter().map(|name| (*name).to_owned()));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| effect(name).is_some()));
        assert!(
            RENAMED
                .iter()
                .all(|(_, new)| effect(new) == Some(Effect::Acts))
        );
    }

    /// A mistyped key finds its neighbour; a key like none finds none.
    #[test]
    fn suggestions() {
        assert_eq!(
            similar("discovery.max-agee").first().map(String::as_str),
            Some("discovery.max-age")
        );
        assert_eq!(
            similar("http-server.http.prot").first().map(String::as_str),
            Some("http-server.http.port")
        );
        assert!(similar("xyzzy").is_empty());
    }

    /// Each key that does something is explained in the example, and the example holds no key that does not exist.
    #[test]
    fn the_example_explains_every_key() {
        let example = concat!(
            include_str!("../../etc/config.properties"),
            include_str!("../../etc/node.properties")
        );
        let stands = |key: &&str| {
            let set = format!("{key}=");
            example
                .lines()
                .any(|line| line.trim_start_matches('#').starts_with(&set))
        };
        let missing: Vec<_> = ACTING.iter().filter(|key| !stands(key)).collect();
        assert!(missing.is_empty(), "not in etc/: {missing:?}");
        for line in example.lines() {
            let Some((key, _)) = line.trim_start_matches('#').split_once('=') else {
                continue;
            };
            let is_key = key.contains('.')
                && key
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b"-.".contains(&b));
            assert!(
                !is_key || key == "node.data-dir" || effect(key).is_some(),
                "{key} does not exist"
            );
        }
    }
}
