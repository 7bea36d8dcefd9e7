//! The address of a peer, such as `http://host:port`.

use super::error::DialError;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;

/// The host part of an address.
pub(super) enum DialHost<'a> {
    /// A socket address, which needs no resolution.
    At(SocketAddr),
    /// A name to resolve, and a port.
    Name(&'a str, u16),
}

/// Parses the host and the port of an address like `http://host:port`. The scheme does not matter,
/// because peers that prove who they are use TLS on either port.
pub(super) fn host_of(address: &str) -> Result<DialHost<'_>, DialError> {
    let host = authority_of(address);
    if let Ok(target) = host.parse() {
        return Ok(DialHost::At(target));
    }
    let name_and_port = host
        .rsplit_once(':')
        .and_then(|(name, port)| Some((name, port.parse().ok()?)));
    match name_and_port {
        Some((name, port)) if !name.is_empty() => Ok(DialHost::Name(name, port)),
        _ => Err(DialError::NotAnAddress),
    }
}

/// Returns the host and the port of an address, in the form of the `Host` header.
pub(super) fn authority_of(address: &str) -> &str {
    let authority = address
        .strip_prefix("http://")
        .or_else(|| address.strip_prefix("https://"));
    authority.unwrap_or(address).trim_end_matches('/')
}

/// Returns the host of an address as a certificate names it.
///
/// # Errors
/// Returns an error if no certificate can name the host.
pub(crate) fn certified_host(address: &str) -> Result<ServerName<'static>, DialError> {
    match host_of(address)? {
        DialHost::At(target) => Ok(ServerName::from(target.ip().to_canonical())),
        DialHost::Name(name, _) => {
            ServerName::try_from(name.to_owned()).map_err(|_| DialError::NotAnAddress)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host of an address is that of a certificate: an IP address in its only form, or a name.
    #[test]
    fn hosts_are_those_of_certificates() {
        for (address, host) in [
            ("http://127.0.0.1:8411", "127.0.0.1"),
            ("https://[2001:db8::1]:8443", "2001:db8::1"),
            ("http://[::ffff:10.0.0.1]:8411", "10.0.0.1"),
            ("http://n_1.example.org:8411", "n_1.example.org"),
        ] {
            let certified = certified_host(address).expect(address);
            assert_eq!(certified.to_str(), host, "{address}");
        }
        for address in [
            "http://n1",
            "http://:8411",
            "http://-:8411",
            "http://n..1:8411",
        ] {
            assert!(certified_host(address).is_err(), "{address}");
        }
    }
}
