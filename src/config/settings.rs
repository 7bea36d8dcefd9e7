//! The validated settings, read from the collected properties.

use super::error::ConfigErrors;
use super::paths::{CommandLine, Paths};
use super::security::{self, SecuritySettings};
use super::sources::Sources;
use super::{environment, inventory_source, logging, values};
use crate::model::{Host, NODE_ID_BYTES_MAX, is_node_id};
use std::net::IpAddr;
use std::path::PathBuf;

pub use super::logging::{LogFormat, LogLevel, LogSettings, RollingLogSettings};

/// The validated settings that a node runs with: each value is in its range, and values that depend
/// on each other are consistent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `node.environment`
    pub environment: String,
    /// `node.id`; `None`: the id in the data directory, or else a random one.
    pub node_id: Option<String>,
    /// `node.pool`, for this node's own announcement.
    pub pool: String,
    /// `node.location`
    pub location: Option<String>,
    /// `node.internal-address`: the host at which this node announces itself.
    pub internal_address: Option<Host>,
    /// `node.internal-address-source`: the kind of host that this node announces if none is
    /// configured.
    pub internal_address_source: InternalAddressSource,
    /// `node.prefer-ipv6-address`: whether discovery of an address prefers IPv6.
    pub prefer_ipv6_address: bool,
    /// `node.external-address`
    pub external_address: Option<Host>,
    /// `node.bind-ip`; `None`: all addresses. Never an IPv4-mapped address.
    pub bind_ip: Option<IpAddr>,
    /// `http-server.http.enabled`: whether the server listens for plain HTTP.
    pub http_enabled: bool,
    /// `http-server.http.port`; 0: any free port.
    pub http_port: u16,
    /// `node.data-dir`, absolute.
    pub data_dir: PathBuf,
    /// `service-inventory.uri`: `file:` with an absolute path, `http:` or `https:`.
    pub inventory_uri: Option<String>,
    /// `discovery.max-age`: minimum lifetime of an announcement after its last renewal.
    pub max_age_ms: u64,
    /// `discovery.recovery-gap`: a longer time than this without a tick (the command that advances
    /// cluster time) counts as an outage.
    pub recovery_gap_ms: u64,
    /// `discovery.recovery-grace`: time after an outage during which nothing expires.
    pub recovery_grace_ms: u64,
    /// `discovery.max-announcement-size`: maximum size of the body of a client's request.
    pub max_announcement_bytes: usize,
    /// `http-server.max-request-header-size`; `None`: 8 kB, and 64 kB for the paths that redirect
    /// to the coordinator.
    pub max_header_bytes: Option<usize>,
    /// `discovery.hold-time`: maximum time for which a lookup is held (long poll) if the client
    /// already has the result. With 0, lookups are not held.
    pub hold_time_ms: u64,
    /// `discovery.announce-interval`, in whole seconds; `None`: clients use their own interval.
    pub announce_interval_s: Option<u64>,
    /// `discovery.coordinator-choice`: whether the coordinator that joined last is chosen, rather
    /// than the one that joined first.
    pub newest_coordinator: bool,
    /// `discovery.coordinator-redirect`: whether the paths of an engine, such as `/v1/statement`,
    /// redirect to the coordinator.
    pub coordinator_redirect: bool,
    /// `cluster.auto-rejoin`: whether the leader automatically takes back a node whose data
    /// directory was emptied.
    pub auto_rejoin: bool,
    /// `cluster.heartbeat-interval`
    pub heartbeat_ms: u64,
    /// `cluster.election-timeout`: minimum time without a heartbeat before an election.
    pub election_min_ms: u64,
    /// Maximum time without a heartbeat before an election: 5/3 of the minimum.
    pub election_max_ms: u64,
    /// The shared secrets, and the extent to which peers and engines must prove that they have one.
    pub security: SecuritySettings,
    /// `log.*`
    pub log: LogSettings,
    /// `http-server.log.*`
    pub access_log: RollingLogSettings,
    /// `audit.log.*`
    pub audit_log: RollingLogSettings,
    /// Notices for the operator, to be logged once at start: keys without effect, old names of
    /// keys, and unknown keys that are ignored.
    pub notices: Vec<String>,
}

/// The kind of host that a node announces if neither the inventory nor `node.internal-address`
/// names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InternalAddressSource {
    /// An IP address of this machine that is not loopback.
    #[default]
    Ip,
    /// An IP address of this machine that is not loopback, encoded as a name: `10-0-0-1.ip`.
    IpEncodedAsHostname,
    /// The name of this machine.
    Hostname,
    /// The name of this machine with its domain.
    Fqdn,
}

const ADDRESS_SOURCES: &[(&str, InternalAddressSource)] = &[
    ("HOSTNAME", InternalAddressSource::Hostname),
    ("FQDN", InternalAddressSource::Fqdn),
    ("IP", InternalAddressSource::Ip),
    (
        "IP_ENCODED_AS_HOSTNAME",
        InternalAddressSource::IpEncodedAsHostname,
    ),
];

const HTTP_ENABLED: &str = "http-server.http.enabled";

const DAY_MS: u64 = 86_400_000;

/// Maximum hold time, which is less than a minute. airlift's client and nginx consider a connection
/// dead after a minute of silence.
const HOLD_TIME_MAX_MS: u64 = 50_000;

/// Reads and validates the configuration.
///
/// # Errors
/// Returns all errors of the configuration together.
pub fn load(options: &CommandLine) -> Result<Settings, ConfigErrors> {
    let paths = Paths::resolve(options)?;
    let mut sources = Sources::collect(options, &paths, &environment::process)?;
    if sources.text("node.id").is_none() {
        sources.notices.push(
            "node.id is not set: using that of the data directory or a random one".to_owned(),
        );
    }
    let settings = read(&mut sources, options, &paths);
    settings.validate(&mut sources);
    if sources.errors.is_empty() {
        return Ok(Settings {
            notices: sources.notices,
            ..settings
        });
    }
    let mut errors = sources.errors;
    errors.sort();
    Err(ConfigErrors(errors))
}

/// Parses the settings from the collected properties.
fn read(sources: &mut Sources, options: &CommandLine, paths: &Paths) -> Settings {
    let security = security::read(sources, paths);
    let http_enabled = sources.read(HTTP_ENABLED, true, values::boolean);
    if !http_enabled {
        check_without_http(sources, &security);
    }
    let max_age_ms = sources.read("discovery.max-age", 30_000, bounded_ms(1_000, DAY_MS));
    let election_min_ms = sources.read("cluster.election-timeout", 300, bounded_ms(50, 60_000));
    Settings {
        environment: sources.required("node.environment", |text| {
            name(text, is_lower_name, "[a-z0-9][_a-z0-9]*")
        }),
        node_id: sources.read("node.id", None, |text| {
            name(text, is_node_id, "[A-Za-z0-9][_A-Za-z0-9-]*").map(Some)
        }),
        pool: sources.read("node.pool", "general".to_owned(), |text| {
            name(text, is_lower_name, "[a-z0-9][_a-z0-9]*")
        }),
        location: sources.read("node.location", None, |text| Ok(Some(text.to_owned()))),
        internal_address: sources.read("node.internal-address", None, |text| host(text).map(Some)),
        internal_address_source: sources.read(
            "node.internal-address-source",
            InternalAddressSource::Ip,
            |text| values::one_of(text, ADDRESS_SOURCES),
        ),
        prefer_ipv6_address: sources.read("node.prefer-ipv6-address", false, values::boolean),
        external_address: sources.read("node.external-address", None, |text| host(text).map(Some)),
        bind_ip: sources.read("node.bind-ip", None, |text| ip(text).map(Some)),
        http_enabled,
        http_port: sources.read("http-server.http.port", 8080, |text| {
            values::integer(text, 0, u64::from(u16::MAX)).map(|port| port as u16)
        }),
        inventory_uri: sources.read("service-inventory.uri", None, |text| {
            inventory_source::normalize(text, |path| paths.in_data_dir(path)).map(Some)
        }),
        max_age_ms,
        recovery_gap_ms: sources.read("discovery.recovery-gap", 5_000, bounded_ms(1_000, DAY_MS)),
        recovery_grace_ms: sources.read(
            "discovery.recovery-grace",
            max_age_ms,
            bounded_ms(0, DAY_MS),
        ),
        max_announcement_bytes: sources.read("discovery.max-announcement-size", 1 << 20, |text| {
            // The maximum is 16 MB, because a larger announcement would delay all later entries of
            // the log.
            bounded_bytes(1 << 10, 16 << 20)(text).map(|bytes| bytes as usize)
        }),
        max_header_bytes: sources.read("http-server.max-request-header-size", None, |text| {
            // The maximum is 1 MB, since a client can use this much memory on every connection.
            bounded_bytes(1 << 10, 1 << 20)(text).map(|bytes| Some(bytes as usize))
        }),
        hold_time_ms: sources.read(
            "discovery.hold-time",
            20_000,
            bounded_ms(0, HOLD_TIME_MAX_MS),
        ),
        announce_interval_s: sources.read("discovery.announce-interval", None, |text| {
            whole_seconds(text).map(Some)
        }),
        newest_coordinator: sources.read("discovery.coordinator-choice", true, |text| {
            values::one_of(text, &[("newest", true), ("oldest", false)])
        }),
        coordinator_redirect: sources.read("discovery.coordinator-redirect", true, values::boolean),
        auto_rejoin: sources.read("cluster.auto-rejoin", true, values::boolean),
        heartbeat_ms: sources.read("cluster.heartbeat-interval", 100, bounded_ms(10, 10_000)),
        election_min_ms,
        election_max_ms: election_min_ms * 5 / 3,
        security,
        log: logging::read(sources, options, paths),
        access_log: logging::read_access_log(sources, paths),
        audit_log: logging::read_audit_log(sources, paths),
        data_dir: paths.data_dir.clone(),
        notices: Vec::new(),
    }
}

/// Checks that a node without a port for plain HTTP can be reached.
fn check_without_http(sources: &mut Sources, security: &SecuritySettings) {
    let https_enabled = sources.text(security::HTTPS_ENABLED);
    if !https_enabled.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        // airlift's words.
        sources.invalid(HTTP_ENABLED, "either HTTP or HTTPS must be enabled");
    }
    if !security.peers.demands_proof() {
        sources.invalid(
            HTTP_ENABLED,
            "false needs cluster.peer-authentication=require or certificate: peers use the port \
             for HTTPS only if they prove who they are",
        );
    }
}

impl Settings {
    /// Checks the relations between values.
    ///
    /// - The election timeout is at least three heartbeat intervals, because one lost or late
    ///   packet must not cost the leader its role.
    /// - The maximum age of an announcement is at least twice the time between two renewals, which
    ///   is 0.8 of `discovery.announce-interval`.
    /// - The recovery gap is at least twice the maximum election timeout, because a change of
    ///   leader must not count as an outage.
    fn validate(&self, sources: &mut Sources) {
        if self.election_min_ms < 3 * self.heartbeat_ms {
            let (election, heartbeat) = (self.election_min_ms, self.heartbeat_ms);
            sources.invalid(
                "cluster.election-timeout",
                &format!(
                    "{election}ms is less than three times cluster.heartbeat-interval \
                     ({heartbeat}ms)"
                ),
            );
        }
        if let Some(interval_s) = self.announce_interval_s
            && 8 * interval_s * 1_000 / 10 > self.max_age_ms / 2
        {
            let max_age = self.max_age_ms;
            sources.invalid(
                "discovery.announce-interval",
                &format!(
                    "clients renew after 0.8 of {interval_s}s, which is more than half of \
                     discovery.max-age ({max_age}ms)"
                ),
            );
        }
        if self.recovery_gap_ms < 2 * self.election_max_ms {
            let (gap, election) = (self.recovery_gap_ms, self.election_max_ms);
            sources.invalid(
                "discovery.recovery-gap",
                &format!(
                    "{gap}ms is less than two elections \
                     ({election}ms each, 5/3 of cluster.election-timeout)"
                ),
            );
        }
    }
}

/// Returns a parser of durations within bounds, both inclusive.
fn bounded_ms(min: u64, max: u64) -> impl Fn(&str) -> Result<u64, String> {
    move |text| {
        let ms = values::duration_ms(text)?;
        let within = (min..=max).contains(&ms);
        if within {
            Ok(ms)
        } else {
            Err(format!(
                "'{}' is not between {min}ms and {max}ms",
                values::shown(text)
            ))
        }
    }
}

/// Parses a duration in whole seconds, the unit of `Cache-Control`.
fn whole_seconds(text: &str) -> Result<u64, String> {
    let ms = bounded_ms(1_000, DAY_MS)(text)?;
    match ms % 1_000 {
        0 => Ok(ms / 1_000),
        _ => Err(format!(
            "'{}' is not a whole number of seconds",
            values::shown(text)
        )),
    }
}

/// Returns a parser of data sizes within bounds, both inclusive.
fn bounded_bytes(min: u64, max: u64) -> impl Fn(&str) -> Result<u64, String> {
    move |text| {
        let bytes = values::data_size_bytes(text)?;
        let within = (min..=max).contains(&bytes);
        if within {
            Ok(bytes)
        } else {
            Err(format!(
                "'{}' is not between {min}B and {max}B",
                values::shown(text)
            ))
        }
    }
}

fn name(text: &str, valid: impl Fn(&str) -> bool, pattern: &str) -> Result<String, String> {
    if valid(text) {
        return Ok(text.to_owned());
    }
    let shown = values::shown(text);
    Err(format!(
        "is malformed: '{shown}' must match {pattern} and have at most {NODE_ID_BYTES_MAX} bytes"
    ))
}

/// Returns whether a name matches airlift's pattern for environments and pools:
/// `[a-z0-9][_a-z0-9]*`.
fn is_lower_name(text: &str) -> bool {
    is_node_id(text) && text.bytes().all(|b| !b.is_ascii_uppercase() && b != b'-')
}

/// Parses an IP address. An IPv6 address may be in brackets.
fn ip(text: &str) -> Result<IpAddr, String> {
    let inside = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let ip: Option<IpAddr> = match inside {
        Some(inside) => inside.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    };
    ip.map(|ip| ip.to_canonical())
        .ok_or_else(|| format!("'{}' is not an IP address", values::shown(text)))
}

/// Parses a host name or address, without a scheme or a port, at which others can reach a node.
fn host(text: &str) -> Result<Host, String> {
    let wrong = |what: &str| format!("'{}' {what}", values::shown(text));
    match text.parse().map_err(wrong)? {
        Host::Ip(ip) if ip.is_unspecified() => {
            Err(wrong("is not an address at which a node can be reached"))
        }
        host => Ok(host),
    }
}
