//! The address at which this node announces itself. It comes from the inventory or the
//! configuration, or is discovered as in airlift.

use super::listen::{ListeningPorts, takes};
use crate::config::{InternalAddressSource, Settings};
use crate::model::{Host, Inventory};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Timeout for resolving the name of this machine. If this time passes, the address is chosen
/// without the name.
const RESOLVE_TIME_LIMIT: Duration = Duration::from_secs(1);

/// The address at which this node is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnAddress {
    /// `http://host:port`, or `https://host:port` if the node does not listen for plain HTTP.
    pub uri: String,
    /// Whether an operator configured the address. A discovered address may belong to any interface
    /// of this machine.
    pub is_configured: bool,
}

/// Finds the address of this node, which listens on these ports.
pub(super) async fn find(
    settings: &Settings,
    inventory: Option<&Inventory>,
    node_id: &str,
    ports: ListeningPorts,
) -> OwnAddress {
    if let Some(entry) = inventory.and_then(|inventory| inventory.own(node_id).ok()) {
        return OwnAddress {
            uri: entry.address.clone(),
            is_configured: true,
        };
    }
    let configured = match (&settings.internal_address, settings.bind_ip) {
        (Some(host), _) => Some(host.clone()),
        (None, Some(ip)) if !ip.is_unspecified() => Some(Host::from(ip)),
        _ => None,
    };
    let is_configured = configured.is_some();
    let host = match configured {
        Some(host) => host,
        None => discovered(settings).await,
    };
    let (scheme, port) = ports.for_peers();
    OwnAddress {
        uri: format!("{scheme}://{host}:{port}"),
        is_configured,
    }
}

/// Discovers the host of this machine, of the kind that `node.internal-address-source` selects.
async fn discovered(settings: &Settings) -> Host {
    let machine = machine_name();
    let mut candidates = usable(&interfaces());
    candidates.retain(|ip| takes(settings.bind_ip, *ip));
    let named = match settings.internal_address_source {
        InternalAddressSource::Hostname => machine.parse().ok(),
        InternalAddressSource::Fqdn => full_name(&machine).parse().ok(),
        InternalAddressSource::Ip | InternalAddressSource::IpEncodedAsHostname => None,
    };
    if let Some(name) = named {
        return name;
    }
    let own = resolved(&machine).await;
    let ip =
        choose(&candidates, &own, settings.prefer_ipv6_address).unwrap_or(match settings.bind_ip {
            Some(IpAddr::V6(_)) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
        });
    match settings.internal_address_source {
        InternalAddressSource::IpEncodedAsHostname => encoded(ip),
        _ => Host::from(ip),
    }
}

fn interfaces() -> Vec<if_addrs::Interface> {
    if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!("the addresses of this machine cannot be read: {error}");
        Vec::new()
    })
}

/// Returns the addresses that an automatic certificate is for. As in airlift, these are all
/// addresses of this machine, except for link-local and multicast ones.
pub(super) fn interface_addresses() -> Vec<IpAddr> {
    let interfaces = interfaces();
    let addresses = interfaces.iter().filter(|it| !it.is_link_local());
    let addresses = addresses.map(|interface| interface.ip());
    addresses
        .filter(|ip| !ip.is_unspecified() && !ip.is_multicast())
        .collect()
}

/// Returns the addresses that other machines may reach: those of interfaces that are up and not
/// loopback.
fn usable(interfaces: &[if_addrs::Interface]) -> Vec<IpAddr> {
    let loopback: BTreeSet<&str> = interfaces
        .iter()
        .filter(|interface| interface.is_loopback())
        .map(|interface| interface.name.as_str())
        .collect();
    interfaces
        .iter()
        .filter(|interface| interface.is_oper_up() && !loopback.contains(interface.name.as_str()))
        .filter(|interface| !interface.is_link_local())
        .map(|interface| interface.ip())
        .filter(|ip| !ip.is_unspecified() && !ip.is_multicast() && !ip.is_loopback())
        .collect()
}

/// Chooses an address as airlift's `NodeInfo` does. The first of these that exists is chosen:
///
/// - an address that the machine's name resolves to, if it is a candidate of the preferred family
/// - the first candidate of the preferred family
/// - the first candidate
fn choose(candidates: &[IpAddr], of_name: &[IpAddr], prefer_ipv6: bool) -> Option<IpAddr> {
    let is_preferred = |ip: &&IpAddr| ip.is_ipv6() == prefer_ipv6;
    of_name
        .iter()
        .filter(is_preferred)
        .find(|ip| candidates.contains(ip))
        .or_else(|| candidates.iter().find(is_preferred))
        .or_else(|| candidates.first())
        .copied()
}

/// Returns the addresses of a name, or an empty list if it does not resolve in time.
async fn resolved(name: &str) -> Vec<IpAddr> {
    match tokio::time::timeout(RESOLVE_TIME_LIMIT, tokio::net::lookup_host((name, 0))).await {
        Ok(Ok(addresses)) => addresses.map(|address| address.ip()).collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

fn machine_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

/// Returns the name of this machine with its domain. If the name has no domain, `/etc/hosts`
/// completes it.
fn full_name(name: &str) -> String {
    if name.contains('.') {
        return name.to_owned();
    }
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    completed(name, &hosts).unwrap_or_else(|| name.to_owned())
}

/// Returns the first name with a domain on the line of `/etc/hosts` that lists `name`.
fn completed(name: &str, hosts: &str) -> Option<String> {
    let of_line = |line: &str| {
        let line = line.split('#').next().unwrap_or_default();
        let names: Vec<&str> = line.split_whitespace().skip(1).collect();
        let is_own = names.iter().any(|other| other.eq_ignore_ascii_case(name));
        let full = names.into_iter().find(|other| other.contains('.'));
        full.filter(|_| is_own).map(str::to_owned)
    };
    hosts.lines().find_map(of_line)
}

/// Encodes an address as airlift does, for wildcard certificates: `10-0-0-1.ip`. An IPv6 address is
/// prefixed with an `x`, because a name must not begin with `-`.
fn encoded(ip: IpAddr) -> Host {
    Host::Name(match ip {
        IpAddr::V4(ip) => format!("{}.ip", ip.to_string().replace('.', "-")),
        IpAddr::V6(ip) => format!("x{}.ip", ip.to_string().replace(':', "-")),
    })
}

/// Returns the local address from which peers are dialed, which is this node's own address if an
/// operator configured an IP address. Otherwise returns `None`, because a discovered address may
/// belong to an interface that does not lead to the peers.
pub(super) fn bindable(address: &OwnAddress) -> Option<IpAddr> {
    if !address.is_configured {
        return None;
    }
    let host = host_of(&address.uri)?;
    match host.parse() {
        Ok(Host::Ip(ip)) => Some(ip),
        _ => None,
    }
}

/// Returns the host of an address like `http://host:port`.
pub(super) fn host_of(uri: &str) -> Option<&str> {
    let (_, authority) = uri.split_once("://")?;
    Some(authority.rsplit_once(':')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use if_addrs::{IfAddr, IfOperStatus, Ifv4Addr, Ifv6Addr, Interface};

    fn ips(list: &[&str]) -> Vec<IpAddr> {
        list.iter()
            .map(|ip| ip.parse().expect("an address"))
            .collect()
    }

    fn interface(name: &str, ip: &str, up: bool) -> Interface {
        let addr = match ip.parse().expect("an address") {
            IpAddr::V4(ip) => IfAddr::V4(Ifv4Addr {
                ip,
                netmask: Ipv4Addr::UNSPECIFIED,
                prefixlen: 8,
                broadcast: None,
            }),
            IpAddr::V6(ip) => IfAddr::V6(Ifv6Addr {
                ip,
                netmask: Ipv6Addr::UNSPECIFIED,
                prefixlen: 64,
                broadcast: None,
            }),
        };
        let oper_status = match up {
            true => IfOperStatus::Up,
            false => IfOperStatus::Unknown,
        };
        Interface {
            name: name.to_owned(),
            addr,
            index: None,
            oper_status,
            is_p2p: false,
        }
    }

    /// Only addresses that other machines may reach are candidates.
    #[test]
    fn loopback_and_link_local_are_no_candidates() {
        let found = usable(&[
            interface("lo", "127.0.0.1", true),
            interface("lo", "10.9.9.9", true),
            interface("lo", "::1", true),
            interface("eth9", "10.0.0.9", false),
            interface("eth0", "fe80::1", true),
            interface("eth0", "169.254.1.1", true),
            interface("eth0", "2001:db8::1", true),
            interface("eth0", "10.0.0.1", true),
        ]);
        assert_eq!(found, ips(&["2001:db8::1", "10.0.0.1"]));
    }

    /// The address is chosen in airlift's order of preference.
    #[test]
    fn the_choice_is_airlifts() {
        let both = ips(&["2001:db8::1", "10.0.0.1", "10.0.0.2"]);
        for (of_name, prefer_ipv6, chosen) in [
            (ips(&[]), false, "10.0.0.1"),
            (ips(&["127.0.1.1"]), false, "10.0.0.1"),
            (ips(&["10.0.0.2"]), false, "10.0.0.2"),
            (ips(&["10.0.0.3"]), false, "10.0.0.1"),
            (ips(&["2001:db8::1"]), false, "10.0.0.1"),
            (ips(&["10.0.0.2"]), true, "2001:db8::1"),
        ] {
            let expected = ips(&[chosen]).first().copied();
            assert_eq!(
                choose(&both, &of_name, prefer_ipv6),
                expected,
                "{of_name:?}"
            );
        }
        let only = ips(&["2001:db8::1"]);
        assert_eq!(choose(&only, &[], false), only.first().copied());
        assert_eq!(choose(&[], &ips(&["10.0.0.1"]), false), None);
    }

    /// Addresses are encoded as names as in airlift, and a name is completed from `/etc/hosts`.
    #[test]
    fn names() {
        let [v4, v6] = ips(&["10.0.0.1", "2001:db8::1"])[..] else {
            panic!("two")
        };
        assert_eq!(encoded(v4).to_string(), "10-0-0-1.ip");
        assert_eq!(encoded(v6).to_string(), "x2001-db8--1.ip");
        let hosts = "127.0.0.1 localhost\n10.0.0.1 n1.example.net n1 # n1.other\n";
        assert_eq!(completed("N1", hosts).as_deref(), Some("n1.example.net"));
        assert_eq!(completed("n2", hosts), None);
    }

    /// Peers are dialled only from an IP address that an operator configured, of either family.
    #[test]
    fn only_a_configured_address_is_dialled_from() {
        let of = |uri: &str, is_configured| {
            bindable(&OwnAddress {
                uri: uri.to_owned(),
                is_configured,
            })
        };
        let [v4, v6] = ips(&["10.0.0.1", "2001:db8::1"])[..] else {
            panic!("two")
        };
        assert_eq!(of("http://10.0.0.1:80", true), Some(v4));
        assert_eq!(of("http://[2001:db8::1]:80", true), Some(v6));
        assert_eq!(of("http://node1:80", true), None);
        assert_eq!(of("http://10.0.0.1:80", false), None);
    }
}
