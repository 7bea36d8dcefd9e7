//! The host of an address: a name or an IP address, in the one spelling that a URI uses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A host that other machines can connect to. The `Display` form is the form in a URI: an IPv6
/// address is in brackets, an IPv4-mapped address is written as the IPv4 address, and a name is in
/// lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// An IP address, never an IPv4-mapped one.
    Ip(IpAddr),
    /// A name, in lower case.
    Name(String),
}

impl Host {
    /// Creates a host from a URI's host without brackets: an IPv4 address or a name.
    pub(crate) fn name(text: &str) -> Host {
        match text.parse() {
            Ok(ip @ IpAddr::V4(_)) => Host::Ip(ip),
            _ => Host::Name(text.to_ascii_lowercase()),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Host {
        Host::Ip(ip.to_canonical())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Host::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Host::Name(name) => f.write_str(name),
        }
    }
}

impl FromStr for Host {
    type Err = &'static str;

    /// Parses a host as users write it: a name, an IPv4 address, or an IPv6 address with or without
    /// brackets.
    fn from_str(text: &str) -> Result<Host, &'static str> {
        let bracketed = text
            .strip_prefix('[')
            .map(|rest| rest.strip_suffix(']').ok_or("lacks a closing bracket"));
        if let Some(inside) = bracketed {
            let inside = inside?;
            return match inside.parse() {
                Ok(ip @ IpAddr::V6(_)) => Ok(Host::from(ip)),
                _ => Err(not_ipv6(inside)),
            };
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Host::from(ip));
        }
        if text.contains(':') {
            return Err(match text.split_once(':') {
                Some((_, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
                    "has a port; set http-server.http.port instead"
                }
                _ => not_ipv6(text),
            });
        }
        let is_name = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        match is_name && text.len() <= 253 {
            true => Ok(Host::Name(text.to_ascii_lowercase())),
            false => Err("is not a host name or an IP address"),
        }
    }
}

fn not_ipv6(text: &str) -> &'static str {
    match text.contains('%') {
        // A zone names a network interface of this machine and means nothing to another machine.
        true => "has a zone, which means nothing to other machines",
        false => "is not an IPv6 address",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host is written as in a URI, no matter how it was given.
    #[test]
    fn hosts_are_written_as_in_a_uri() {
        for (given, written) in [
            ("Node1.Example.NET", "node1.example.net"),
            ("node_1", "node_1"),
            ("10.0.0.1", "10.0.0.1"),
            ("2001:DB8:0:0::1", "[2001:db8::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("::1", "[::1]"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("[::ffff:10.0.0.1]", "10.0.0.1"),
        ] {
            let host = given.parse::<Host>().map(|host| host.to_string());
            assert_eq!(host.as_deref(), Ok(written), "{given}");
        }
        for bad in [
            "",
            "[]",
            "[::1",
            "::1]",
            "[10.0.0.1]",
            "10.0.0.1:8411",
            "h:8411",
            "fe80::1%eth0",
            "[fe80::1%25eth0]",
            "a b",
            "a/b",
            "-a",
            "u@h",
            "http://h",
            "h\u{e4}",
        ] {
            assert!(bad.parse::<Host>().is_err(), "{bad:?} must be refused");
        }
    }
}
