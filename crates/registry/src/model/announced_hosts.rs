//! The hosts at which an announcement says that its node can be reached.

use super::address::{BadAddress, address_host};
use super::host::Host;
use super::packed::services::Services;
use std::collections::BTreeSet;
use thiserror::Error;

/// The beginnings of values that some parsers read as an address, although they have no `://`.
const DOUBTFUL_BEGINNINGS: [&str; 3] = ["//", "http:", "https:"];

/// The error of an announced address that has no valid host.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{property}: {reason}")]
pub struct BadAnnouncedAddress {
    /// The name of the property with the address.
    pub property: String,
    /// The problem of the address.
    pub reason: BadAddress,
}

/// Returns the hosts of all addresses that services announce. A property is an address if its value
/// contains `://` or begins like an address, because engines differ in the properties in which they
/// announce addresses.
///
/// # Errors
/// Returns the first address whose host cannot be told, such as two addresses in one property.
pub fn announced_hosts(services: &Services) -> Result<BTreeSet<Host>, BadAnnouncedAddress> {
    services
        .iter()
        .flat_map(|service| service.properties)
        .filter(|(_, value)| is_address(value))
        .map(|(property, value)| {
            address_host(value).map_err(|reason| BadAnnouncedAddress {
                property: property.to_owned(),
                reason,
            })
        })
        .collect()
}

fn is_address(value: &str) -> bool {
    let begins_with = |beginning: &str| {
        value
            .get(..beginning.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(beginning))
    };
    value.contains("://") || DOUBTFUL_BEGINNINGS.into_iter().any(begins_with)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Announcement;

    fn hosts(properties: &str) -> Result<Vec<String>, String> {
        let body = format!(
            r#"{{"environment":"test","pool":"p","services":[
                {{"id":"1","type":"a","properties":{{}}}},
                {{"id":"2","type":"b","properties":{{{properties}}}}}]}}"#
        );
        let announcement =
            Announcement::from_json("n", body.as_bytes(), "test").expect("it is one");
        match announced_hosts(&announcement.services) {
            Ok(hosts) => Ok(hosts.iter().map(Host::to_string).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Each host is returned once, in the spelling of a URI. Values that are not addresses are left
    /// out.
    #[test]
    fn hosts_are_found_in_every_property() {
        let announced = r#""http":"http://W1.example:8080","https":"HTTPS://w1.example:8443/x?y",
            "grpc":"grpc+tls://[::FFFF:10.0.0.7]:1","v6":"thrift://[2001:DB8::0:1]",
            "node_version":"1","coordinator":"false","weird":"w2.example:8080""#;
        assert_eq!(
            hosts(announced),
            Ok(["10.0.0.7", "[2001:db8::1]", "w1.example"]
                .map(str::to_owned)
                .to_vec())
        );
        assert_eq!(hosts(r#""http":"8080""#), Ok(Vec::new()));
    }

    /// An address whose host parsers may understand differently is refused by the name of its
    /// property.
    #[test]
    fn a_doubtful_host_is_refused() {
        for value in [
            "http://w1.example@w2.example:1",
            "http://w1.example,http://w2.example",
            "http://w1.example\\\\w2.example",
            "http://",
            "http:///w1.example",
            "http://w1.example:x",
            "http://*.example",
            "http://w1.example w2",
            "http://0x7f.1",
            "http:w2.example://w1.example",
            "http:/w2.example/://w1.example",
            "http:/w2.example",
            "HTTPS:w2.example",
            "//w2.example",
            "://w1.example",
            "service:jmx:rmi:///jndi/rmi://w1.example/jmx",
        ] {
            let refused = hosts(&format!(r#""a":"1","http":"{value}""#));
            let refused = refused.expect_err(value);
            assert!(refused.starts_with("http: it"), "{value}: {refused}");
        }
    }
}
