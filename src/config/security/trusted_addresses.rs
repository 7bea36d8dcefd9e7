//! The networks of `discovery.announcement.trusted-addresses`.

use crate::config::values;
use ipnet::{IpNet, Ipv4Net};
use std::net::IpAddr;

/// Maximum number of trusted networks.
const TRUSTED_MAX: usize = 1_000;

/// Parses a list of networks and addresses, separated by commas.
pub(super) fn trusted_addresses(text: &str) -> Result<Vec<IpNet>, String> {
    let parse = |part: &str| {
        let part = part.trim();
        let network = part.parse::<IpNet>().ok().map(without_mapping);
        let address = || {
            part.parse::<IpAddr>()
                .ok()
                .map(|ip| IpNet::from(ip.to_canonical()))
        };
        network
            .or_else(address)
            .map(|network| network.trunc())
            .ok_or_else(|| {
                let shown = values::shown(part);
                format!("'{shown}' is neither an IP address nor a network such as 10.0.0.0/8")
            })
    };
    let networks = text.split(',').map(parse).collect::<Result<Vec<_>, _>>()?;
    match networks.len() <= TRUSTED_MAX {
        true => Ok(networks),
        false => Err(format!("has more than {TRUSTED_MAX} networks")),
    }
}

/// Returns the IPv4 network for an IPv6 network of mapped addresses, and other networks unchanged.
/// The addresses of connections are compared in their IPv4 form.
fn without_mapping(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(v6) => v6
            .addr()
            .to_ipv4_mapped()
            .zip(v6.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    let v4 = mapped.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok());
    v4.map_or(network, IpNet::V4)
}
