//! Addresses that clients are sent to: one strict reading for all of them.

use std::net::{Ipv4Addr, Ipv6Addr};
use thiserror::Error;

/// The longest address that is handed on. Proxies and clients refuse a `Location` of much more.
const ADDRESS_BYTES_MAX: usize = 2_048;

/// The longest name and the longest part of one that DNS has.
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// The most digits of a port.
const PORT_DIGITS_MAX: usize = 5;

/// Why a client cannot be sent to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadAddress {
    /// Longer than 2,048 bytes.
    #[error("it is longer than {ADDRESS_BYTES_MAX} bytes")]
    TooLong,
    /// Not `http://` or `https://`.
    #[error("it does not begin with http:// or https://")]
    Scheme,
    /// Holds a control character, a space or something beyond ASCII.
    #[error("it holds a character that no address has")]
    Character,
    /// Has a user name or a password.
    #[error("it holds a user name")]
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
    /// Has no host, or what is no name and no address.
    #[error("it has no host that is a name or an address")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("its port is not a number from 1 to 65535")]
    Port,
}

/// Reads an address that clients are sent to: `http` or `https`, a host, and a port if there is
/// one. Gives it without a slash at its end, so that a path may follow.
///
/// What other parsers repair is refused here (`http:/h`, `http://h\x`, `http://127.1`): two clients
/// might repair it differently.
///
/// A path is refused as well. What engines announce has none: airlift makes `http`, `https` and
/// their external forms of a host and a port. And SQL clients could not follow one, since the
/// answers to a statement lead to paths that begin at the root.
///
/// # Errors
/// The first thing that is wrong with it.
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
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
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

/// Checks that a text is a host, and a port if there is one.
///
/// # Errors
/// When it is not.
pub fn check_authority(authority: &str) -> Result<(), BadAddress> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(literal) => {
            let (literal, port) = literal.split_once(']').ok_or(BadAddress::Host)?;
            let _: Ipv6Addr = literal.parse().map_err(|_| BadAddress::Host)?;
            (None, port)
        }
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            let (host, port) = authority.split_at(end);
            (Some(host), port)
        }
    };
    if let Some(host) = host
        && !is_name(host)
    {
        return Err(BadAddress::Host);
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok(()),
        None => Err(BadAddress::Host),
        Some(port) if is_port(port) => Ok(()),
        Some(_) => Err(BadAddress::Port),
    }
}

/// Whether a text is a name of DNS, in which underscores are common, or an IPv4 address.
fn is_name(host: &str) -> bool {
    // The root's dot.
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

/// Whether a name that ends in this label is read as an IPv4 address by URL parsers.
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

    /// Hosts and ports in all their forms are taken, and come back without a slash at the end.
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

    /// Everything else is refused, for a reason that is true.
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
