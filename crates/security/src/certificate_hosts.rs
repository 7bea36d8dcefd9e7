//! The hosts that a certificate proves.

use crate::certificate::{SubjectAltName, UnreadableCertificate, subject_alt_names};
use rustls::pki_types::{CertificateDer, ServerName};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

/// Maximum number of hosts that [`CertificateHosts::list`] names. A certificate may have thousands.
const LISTED_MAX: usize = 5;

/// Maximum length of a host name in bytes.
const NAME_BYTES_MAX: usize = 253;

/// Maximum number of hosts of a certificate. Further ones are left out, because each connection
/// keeps them.
const HOSTS_MAX: usize = 1_000;

/// The hosts that a certificate names exactly. A name with a wildcard is left out, because many
/// machines often share such a certificate. So is the common name (RFC 9525).
///
/// The `Display` output is the first host as in a URI, which suffices to find the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateHosts {
    /// The IP addresses, of which none is an IPv4-mapped one.
    ips: BTreeSet<IpAddr>,
    /// The host names, in lower case.
    names: BTreeSet<String>,
}

impl CertificateHosts {
    /// Reads the hosts of a certificate.
    ///
    /// # Errors
    /// Returns an error if the bytes are not a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<CertificateHosts, UnreadableCertificate> {
        let (mut ips, mut names) = (BTreeSet::new(), BTreeSet::new());
        for name in subject_alt_names(certificate)?.into_iter().take(HOSTS_MAX) {
            match name {
                SubjectAltName::Ip(ip) => {
                    ips.insert(ip.to_canonical());
                }
                SubjectAltName::Dns(name) => {
                    if is_host_name(&name) {
                        names.insert(name);
                    }
                }
            }
        }
        Ok(CertificateHosts { ips, names })
    }

    /// Reads the hosts of the first certificate of a chain. Returns `None` if the other end of a
    /// connection has shown no certificate, or one whose names cannot be read.
    pub fn of_chain(chain: Option<&[CertificateDer<'_>]>) -> Option<CertificateHosts> {
        CertificateHosts::of(chain?.first()?).ok()
    }

    /// Returns whether the certificate names this IP address.
    pub fn has_ip(&self, ip: IpAddr) -> bool {
        self.ips.contains(&ip.to_canonical())
    }

    /// Returns whether the certificate names this host, in any case.
    pub fn has_name(&self, name: &str) -> bool {
        self.names.contains(&name.to_ascii_lowercase())
    }

    /// Returns whether the certificate names the host of a server.
    pub fn has(&self, host: &ServerName<'_>) -> bool {
        match host {
            ServerName::IpAddress(ip) => self.has_ip(IpAddr::from(*ip)),
            ServerName::DnsName(name) => self.has_name(name.as_ref()),
            _ => false,
        }
    }

    /// Returns the hosts in a form for messages, up to a small number of them.
    pub fn list(&self) -> String {
        let count = self.ips.len() + self.names.len();
        let mut listed: Vec<_> = self.shown().take(LISTED_MAX).collect();
        match count {
            0 => listed.push("no host".to_owned()),
            _ if count > LISTED_MAX => listed.push(format!("{} more", count - LISTED_MAX)),
            _ => {}
        }
        listed.join(", ")
    }

    /// Returns the hosts as in a URI, the IP addresses first.
    fn shown(&self) -> impl Iterator<Item = String> {
        let ips = self.ips.iter().map(|ip| match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        });
        ips.chain(self.names.iter().cloned())
    }
}

impl fmt::Display for CertificateHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shown().next() {
            Some(host) => f.write_str(&host),
            None => f.write_str("no host"),
        }
    }
}

/// Returns whether a name in a certificate can be that of a host: no wildcard, and no address in
/// the place of a name.
fn is_host_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && name.parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};
    use rustls::pki_types::pem::PemObject;

    fn hosts(pem: &[u8]) -> CertificateHosts {
        let certificate = CertificateDer::from_pem_slice(pem).expect("a certificate");
        CertificateHosts::of(&certificate).expect("its names")
    }

    fn name(host: &str) -> ServerName<'static> {
        ServerName::try_from(host.to_owned()).expect("a host")
    }

    /// Returns the hosts of a certificate with these names, whose common name is `n1`.
    fn with_names(names: Vec<SanType>) -> CertificateHosts {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, "n1");
        parameters.subject_alt_names = names;
        let key = KeyPair::generate().expect("a key");
        let made = parameters.self_signed(&key).expect("a certificate");
        CertificateHosts::of(made.der()).expect("its names")
    }

    fn dns(name: &str) -> SanType {
        SanType::DnsName(name.try_into().expect("a name"))
    }

    /// A host must be named exactly: by an address if it is one, and by its whole name otherwise.
    #[test]
    fn hosts_are_named_exactly() {
        let ec = hosts(include_bytes!("key_store/stores/ec.pem"));
        for host in [
            "127.0.0.1",
            "::ffff:127.0.0.1",
            "::1",
            "n1.example.org",
            "N1.Example.ORG",
            "n1.example.org.",
        ] {
            assert!(ec.has(&name(host)), "{host}");
        }
        for host in ["n1", "127.0.0.2", "example.org", "a.n1.example.org"] {
            assert!(!ec.has(&name(host)), "{host}");
        }

        let wildcard = hosts(include_bytes!("key_store/stores/rsa.pem"));
        assert!(wildcard.has(&name("n2.example.org")));
        assert!(!wildcard.has(&name("a.n2.example.org")));
        assert!(!wildcard.has_name("*.n2.example.org"));
    }

    /// Neither the common name nor an address in the place of a name counts.
    #[test]
    fn other_fields_name_no_host() {
        let none = with_names(vec![dns("10.0.0.1"), dns("*.n1")]);
        assert_eq!(none, with_names(Vec::new()));
        assert!(!none.has(&name("n1")) && !none.has(&name("10.0.0.1")));
        assert_eq!((none.to_string(), none.list()), both("no host", "no host"));
    }

    /// Messages name the first hosts of a certificate, as in a URI.
    #[test]
    fn hosts_are_listed() {
        let ec = hosts(include_bytes!("key_store/stores/ec.pem"));
        let listed = both("127.0.0.1", "127.0.0.1, [::1], n1.example.org");
        assert_eq!((ec.to_string(), ec.list()), listed);
        let many = with_names((1..=7).map(|i| dns(&format!("n{i}"))).collect());
        assert_eq!(many.list(), "n1, n2, n3, n4, n5, 2 more");
    }

    fn both(first: &str, list: &str) -> (String, String) {
        (first.to_owned(), list.to_owned())
    }
}
