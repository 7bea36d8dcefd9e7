//! Addresses that clients are redirected to: one strict parser for all of them.

use super::host::Host;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use thiserror::Error;

/// Maximum length of an address in bytes. Proxies and clients refuse a `Location` header that is
/// much longer.
const ADDRESS_BYTES_MAX: usize = 2_048;

/// Maximum lengths of a DNS name and of one of its labels, in bytes.
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Maximum number of digits of a port.
const PORT_DIGITS_MAX: usize = 5;

/// The characters that end the host and port of an address. Some parsers read a backslash as a
/// slash.
const AFTER_AUTHORITY: [char; 4] = ['/', '?', '#', '\\'];

/// The reason why a client cannot be redirected to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadAddress {
    /// Longer than 2,048 bytes.
    #[error("it is longer than {ADDRESS_BYTES_MAX} bytes")]
    TooLong,
    /// Not `http://` or `https://`.
    #[error("it does not begin with http:// or https://")]
    Scheme,
    /// Contains a control character, a space or a non-ASCII character.
    #[error("it contains a character that is not allowed in an address")]
    Character,
    /// Has a user name or a password.
    #[error("it contains a user name")]
    UserInfo,
    /// Has a query.
    #[error("it has a query")]
    Query,
    /// Has a fragment.
    #[error("it has a fragment")]
    Fragment,
    /// Has a path other than `/`.
    #[error("it has a path")]
    Path,
    /// Has no host, or one that is neither a name nor an IP address.
    #[error("it has no valid host name or IP address")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("its port is not a number from 1 to 65535")]
    Port,
}

/// Parses an address that clients are redirected to: `http` or `https`, a host, and optionally a
/// port. Returns the address without a trailing slash, so that a path can be appended.
///
/// Spellings that other parsers repair (`http:/h`, `http://h\x`, `http://127.1`) are refused,
/// because two clients might repair them differently.
///
/// An address with a path is refused as well. Engines announce no path, because airlift builds
/// `http`, `https` and their external forms from a host and a port. SQL clients could not use a
/// path, because the responses to a statement link to paths that begin at the root.
///
/// # Errors
/// Returns the first problem found.
pub fn client_address(text: &str) -> Result<String, BadAddress> {
    if text.len() > ADDRESS_BYTES_MAX {
        return Err(BadAddress::TooLong);
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BadAddress::Character);
    }
    let (scheme, rest) = text.split_once("://").ok_or(BadAddress::Scheme)?;
    let scheme = ["http", "https"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(scheme))
        .ok_or(BadAddress::Scheme)?;
    let end = rest.find(AFTER_AUTHORITY).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    if authority.contains('@') {
        return Err(BadAddress::UserInfo);
    }
    if after.contains('#') {
        return Err(BadAddress::Fragment);
    }
    if after.contains('?') {
        return Err(BadAddress::Query);
    }
    if !matches!(after, "" | "/") {
        return Err(BadAddress::Path);
    }
    check_authority(authority)?;
    Ok(format!("{scheme}://{authority}"))
}

/// Checks that a text is a host, optionally followed by a port.
///
/// # Errors
/// Returns an error if the text has any other form.
pub fn check_authority(authority: &str) -> Result<(), BadAddress> {
    authority_host(authority).map(drop)
}

/// Returns the host of an address with any scheme, path and query.
///
/// # Errors
/// Returns an error if the address has no valid host, or has a user name, which other parsers might
/// take for the host.
pub(super) fn address_host(text: &str) -> Result<Host, BadAddress> {
    let (scheme, rest) = text.split_once("://").ok_or(BadAddress::Scheme)?;
    if !is_scheme(scheme) {
        return Err(BadAddress::Scheme);
    }
    let end = rest.find(AFTER_AUTHORITY).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or(rest);
    if rest.contains('\\') || !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BadAddress::Character);
    }
    if authority.contains('@') {
        return Err(BadAddress::UserInfo);
    }
    authority_host(authority)
}

/// Returns whether a text is the scheme of a URI (RFC 3986, 3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Returns the host of a text that is a host, optionally followed by a port.
fn authority_host(authority: &str) -> Result<Host, BadAddress> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(literal) => {
            let (literal, port) = literal.split_once(']').ok_or(BadAddress::Host)?;
            let ip: Ipv6Addr = literal.parse().map_err(|_| BadAddress::Host)?;
            (Host::from(IpAddr::V6(ip)), port)
        }
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            let (host, port) = authority.split_at(end);
            if !is_name(host) {
                return Err(BadAddress::Host);
            }
            (Host::name(host), port)
        }
    };
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok(host),
        None => Err(BadAddress::Host),
        Some(port) if is_port(port) => Ok(host),
        Some(_) => Err(BadAddress::Port),
    }
}

/// Returns whether a text is an IPv4 address or a DNS name. Underscores are accepted, since they
/// are common in names.
fn is_name(host: &str) -> bool {
    // A trailing dot denotes the DNS root.
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= NAME_BYTES_MAX
        && name.split('.').all(is_label)
        && (!is_number(last) || host.parse::<Ipv4Addr>().is_ok())
}

/// Returns whether URL parsers read a name that ends in this label as an IPv4 address.
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or(label.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

fn is_port(port: &str) -> bool {
    port.len() <= PORT_DIGITS_MAX
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse().is_ok_and(|port: u16| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Addresses with all valid forms of hosts and ports are accepted and returned without a
    /// trailing slash.
    #[test]
    fn addresses_are_taken() {
        for (written, read) in [
            ("http://h", "http://h"),
            ("http://h/", "http://h"),
            ("http://h:1", "http://h:1"),
            ("https://h:65535/", "https://h:65535"),
            ("HTTP://Host.Example:8080", "http://Host.Example:8080"),
            ("http://a_b.c-d.example.:80", "http://a_b.c-d.example.:80"),
            ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
            ("http://1.2.3.4.example", "http://1.2.3.4.example"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
            ("http://[2001:db8::1]", "http://[2001:db8::1]"),
            ("http://[::ffff:10.0.0.1]:1", "http://[::ffff:10.0.0.1]:1"),
        ] {
            assert_eq!(client_address(written).as_deref(), Ok(read), "{written}");
        }
        let longest_label = format!("http://{}:1", "l".repeat(63));
        assert!(client_address(&longest_label).is_ok());
    }

    /// Any text that is not a valid address is refused, with the correct reason.
    #[test]
    fn everything_else_is_refused() {
        use BadAddress::*;
        for (written, why) in [
            ("", Scheme),
            ("h:8080", Scheme),
            ("//h", Scheme),
            ("http:h", Scheme),
            ("http:/h", Scheme),
            ("ftp://h", Scheme),
            ("javascript://h", Scheme),
            ("xhttp://h", Scheme),
            ("http ://h", Character),
            (" http://h", Character),
            ("http://h\n", Character),
            ("http://h\r\nX: y", Character),
            ("http://h\0", Character),
            ("http://h\u{7f}", Character),
            ("http://caf\u{e9}", Character),
            ("http://h:\u{661}", Character),
            ("http://u@h", UserInfo),
            ("http://u:p@h:1", UserInfo),
            ("http://@h", UserInfo),
            ("http://h#", Fragment),
            ("http://h:1#x", Fragment),
            ("http://h/#x", Fragment),
            ("http://h/?x#y", Fragment),
            ("http://h?", Query),
            ("http://h/?x=y", Query),
            ("http://h//", Path),
            ("http://h/x", Path),
            ("http://h/x/", Path),
            ("http://h\\x", Path),
            ("http://", Host),
            ("http:///", Host),
            ("http://:80", Host),
            ("http://.", Host),
            ("http://a..b", Host),
            ("http://.a", Host),
            ("http://a..", Host),
            ("http://a%41", Host),
            ("http://a,b", Host),
            ("http://a;b", Host),
            ("http://$(x)", Host),
            ("http://127.1", Host),
            ("http://2130706433", Host),
            ("http://0x7f000001", Host),
            ("http://a.0x", Host),
            ("http://010.0.0.1", Host),
            ("http://1.2.3.256", Host),
            ("http://1.2.3.4.5", Host),
            ("http://1.2.3.4.", Host),
            ("http://::1", Host),
            ("http://[::1", Host),
            ("http://[]", Host),
            ("http://[::1]x", Host),
            ("http://[::1%25eth0]", Host),
            ("http://[fe80::1%eth0]", Host),
            ("http://[10.0.0.1]", Host),
            ("http://[v1.x]", Host),
            ("http://h:", Port),
            ("http://h:0", Port),
            ("http://h:65536", Port),
            ("http://h:99999", Port),
            ("http://h:000080", Port),
            ("http://h:-1", Port),
            ("http://h:+1", Port),
            ("http://h:8080x", Port),
            ("http://h:1:2", Port),
            ("http://[::1]:", Port),
        ] {
            assert_eq!(client_address(written), Err(why), "{written:?}");
        }
        let long_label = format!("http://{}", "l".repeat(64));
        assert_eq!(client_address(&long_label), Err(Host));
        let long_name = format!("http://{}example", "label.".repeat(42));
        assert_eq!(client_address(&long_name), Err(Host));
        let long = format!("http://h/{}", "x".repeat(2_048));
        assert_eq!(client_address(&long), Err(TooLong));
    }
}
