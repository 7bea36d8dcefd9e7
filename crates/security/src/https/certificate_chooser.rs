//! The choice of a certificate by the name that a client asks for.

use super::error::HttpsError;
use crate::certificate::{SubjectAltName, subject_alt_names};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A chooser among the certificates of a store. It prefers those whose names match, and takes the
/// first one if none matches or if the client names no host. With a key of RSA and one on an
/// elliptic curve, it leaves out the one that the client does not support.
#[derive(Debug)]
pub(super) struct CertificateChooser {
    keys: Vec<Arc<CertifiedKey>>,
    by_name: BTreeMap<String, Vec<Arc<CertifiedKey>>>,
}

impl CertificateChooser {
    pub(super) fn new(keys: Vec<CertifiedKey>) -> Result<CertificateChooser, HttpsError> {
        let keys: Vec<_> = keys.into_iter().map(Arc::new).collect();
        let mut by_name: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for key in &keys {
            for name in subject_alt_names(key.end_entity_cert()?)? {
                // A client names no addresses (RFC 6066).
                if let SubjectAltName::Dns(name) = name {
                    by_name.entry(name).or_default().push(key.clone());
                }
            }
        }
        Ok(CertificateChooser { keys, by_name })
    }

    /// Returns the keys whose certificates are valid for a host: by its name, and by its name with
    /// a wildcard as the first label.
    fn named(&self, host: &str) -> impl Iterator<Item = &Arc<CertifiedKey>> {
        let host = host.to_ascii_lowercase();
        let wildcard = host.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        let names = [Some(host), wildcard].into_iter().flatten();
        names.filter_map(|name| self.by_name.get(&name)).flatten()
    }
}

impl ResolvesServerCert for CertificateChooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name();
        let named = host.into_iter().flat_map(|host| self.named(host));
        let mut preferred = named.chain(&self.keys);
        let schemes = hello.signature_schemes();
        let usable = preferred.find(|key| key.key.choose_scheme(schemes).is_some());
        usable.or(self.keys.first()).cloned()
    }
}
