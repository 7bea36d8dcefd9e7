//! The check of the certificates of C++ workers, which send no token.
//!
//! A certificate proves the hosts that it names. It proves that a client is an engine if these are
//! all the hosts at which the engine announces itself, and at which it is registered already.
//! Without the second condition, a worker could replace the announcement of another node by its
//! own.

use crate::model::{Announcement, Host, ServiceOf, announced_hosts, shown};
use crate::security::{CertificateHosts, not_after_s};
use rustls::pki_types::CertificateDer;
use std::fmt;

/// The hosts of a client's certificate, which the handshake has verified.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct ClientCertificate {
    hosts: CertificateHosts,
    /// The time after which the certificate is not valid, in seconds since 1970. The handshake has
    /// checked it, but a connection may last for days.
    not_after_s: i64,
}

impl ClientCertificate {
    /// Reads the first certificate of a client's chain. Returns `None` if the client has shown no
    /// certificate, or one whose names cannot be read.
    pub(in crate::http) fn of_chain(
        chain: Option<&[CertificateDer<'_>]>,
    ) -> Option<ClientCertificate> {
        Some(ClientCertificate {
            hosts: CertificateHosts::of_chain(chain)?,
            not_after_s: not_after_s(chain?.first()?).ok()?,
        })
    }

    /// Returns whether the certificate is valid no more. `now_s` is the time in seconds since 1970.
    pub(super) fn has_expired(&self, now_s: u64) -> bool {
        i64::try_from(now_s).is_ok_and(|now_s| now_s > self.not_after_s)
    }

    /// Checks that the certificate names all hosts of an announcement, which is `known_as`
    /// ("announced" or "registered"). A coordinator needs a token, because SQL clients with their
    /// credentials are sent to it.
    ///
    /// # Errors
    /// The reason why the certificate does not prove that the client is the node.
    pub(super) fn check(&self, announcement: &Announcement, known_as: &str) -> Result<(), String> {
        let unproved = |reason: String| {
            format!(
                "The certificate of {self} does not prove that the client is node {}, which is \
                 {known_as} {reason}",
                shown(&announcement.node_id)
            )
        };
        if announcement.services.iter().any(is_coordinator) {
            return Err(unproved("as a coordinator and needs a token".to_owned()));
        }
        let hosts = announced_hosts(&announcement.services)
            .map_err(|error| unproved(format!("with an unusable address: {error}")))?;
        if hosts.is_empty() {
            return Err(unproved("without an address".to_owned()));
        }
        let is_proved = |host: &&Host| match host {
            Host::Ip(ip) => self.hosts.has_ip(*ip),
            Host::Name(name) => self.hosts.has_name(name),
        };
        match hosts.iter().find(|host| !is_proved(host)) {
            None => Ok(()),
            Some(host) => Err(unproved(format!("at {host}"))),
        }
    }
}

/// Returns whether a service makes its node a coordinator of any engine.
fn is_coordinator(service: ServiceOf<'_>) -> bool {
    let flag = service.properties.get("coordinator");
    service.service_type.ends_with("-coordinator")
        || flag.is_some_and(|flag| flag.eq_ignore_ascii_case("true"))
}

impl fmt::Display for ClientCertificate {
    /// Writes the first host, which suffices to find the certificate.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hosts.fmt(f)
    }
}
