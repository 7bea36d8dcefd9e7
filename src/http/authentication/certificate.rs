//! The check of the certificates of C++ workers, which send no token.
//!
//! A certificate proves the hosts that it names. It proves that a client is an engine if these are
//! all the hosts at which the engine announces itself, and at which it is registered already.
//! Without the second condition, a worker could replace the announcement of another node by its
//! own.

use crate::http::error::ApiError;
use crate::model::{Announcement, Host, announced_hosts, shown};
use crate::security::CertificateHosts;
use rustls::pki_types::CertificateDer;
use std::fmt;

/// The hosts of a client's certificate, which the handshake has verified.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct ClientCertificate {
    hosts: CertificateHosts,
}

impl ClientCertificate {
    /// Reads the first certificate of a client's chain. Returns `None` if the client has shown no
    /// certificate, or one whose names cannot be read.
    pub(in crate::http) fn of_chain(
        chain: Option<&[CertificateDer<'_>]>,
    ) -> Option<ClientCertificate> {
        let hosts = CertificateHosts::of_chain(chain)?;
        Some(ClientCertificate { hosts })
    }

    /// Checks that the certificate names all hosts of an announcement, which is `known_as`
    /// ("announced" or "registered").
    pub(super) fn check(
        &self,
        announcement: &Announcement,
        known_as: &str,
    ) -> Result<(), ApiError> {
        let node_id = shown(&announcement.node_id);
        let hosts = announced_hosts(&announcement.services).map_err(|error| {
            ApiError::Forbidden(format!(
                "The certificate of {self} does not prove that the client is node {node_id}, \
                 which is {known_as} with an unusable address: {error}"
            ))
        })?;
        if hosts.is_empty() {
            return Err(ApiError::Forbidden(format!(
                "The certificate of {self} does not prove that the client is node {node_id}, \
                 which is {known_as} without an address"
            )));
        }
        let is_proved = |host: &&Host| match host {
            Host::Ip(ip) => self.hosts.has_ip(*ip),
            Host::Name(name) => self.hosts.has_name(name),
        };
        match hosts.iter().find(|host| !is_proved(host)) {
            None => Ok(()),
            Some(host) => Err(ApiError::Forbidden(format!(
                "The certificate of {self} does not prove that the client is node {node_id}, \
                 which is {known_as} at {host}"
            ))),
        }
    }
}

impl fmt::Display for ClientCertificate {
    /// Writes the first host, which suffices to find the certificate.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hosts.fmt(f)
    }
}
