//! The check of the certificates of C++ workers, which send no token.
//!
//! A certificate proves the hosts that it names. It proves that a client is an engine if these are
//! all the hosts at which the engine announces itself, and at which it is registered already.
//! Without the second condition, a worker could replace the announcement of another node by its
//! own.

use crate::http::error::ApiError;
use crate::model::{Announcement, Host, announced_hosts, shown};
use crate::security::{SubjectAltName, subject_alt_names};
use rustls::pki_types::CertificateDer;
use std::collections::BTreeSet;
use std::fmt;

/// The hosts of a client's certificate, which the handshake has verified.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct ClientCertificate {
    hosts: BTreeSet<Host>,
}

impl ClientCertificate {
    /// Reads the first certificate of a client's chain. A name with a wildcard is left out, because
    /// all workers often share such a certificate. So is the common name (RFC 9525).
    ///
    /// Returns `None` if the client has shown no certificate, or one whose names cannot be read.
    pub(in crate::http) fn of_chain(
        chain: Option<&[CertificateDer<'_>]>,
    ) -> Option<ClientCertificate> {
        let names = subject_alt_names(chain?.first()?).ok()?;
        let host = |name| match name {
            SubjectAltName::Ip(ip) => Some(Host::from(ip)),
            SubjectAltName::Dns(name) => match name.parse() {
                Ok(host @ Host::Name(_)) => Some(host),
                _ => None,
            },
        };
        Some(ClientCertificate {
            hosts: names.into_iter().filter_map(host).collect(),
        })
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
        match hosts.difference(&self.hosts).next() {
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
        match self.hosts.first() {
            Some(host) => write!(f, "{host}"),
            None => f.write_str("no host"),
        }
    }
}
