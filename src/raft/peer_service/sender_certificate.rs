//! The check that a certificate proves which node a peer is.
//!
//! Any certificate of a trusted authority opens a connection with TLS. The hello then claims to be
//! from a node. That is proved if the certificate names exactly the host at which this node would
//! dial the claimed node.

use crate::model::{Inventory, shown};
use crate::planted::{Bug, is_planted};
use crate::raft::group::Group;
use crate::raft::options::Options;
use crate::raft::transport::certified_host;
use crate::security::CertificateHosts;
use thiserror::Error;

/// The reason why a certificate does not prove which node a peer is. It follows the name that the
/// peer claims.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum UnprovenSender {
    /// The inventory does not have the claimed name.
    #[error(
        "no certificate can prove that it is this node, which {0} does not have in its inventory"
    )]
    NotListed(String),
    /// The certificate names other hosts than that of the claimed node.
    #[error(
        "its certificate does not name {expected}, where {own} has this node in its inventory; it \
         names {named}"
    )]
    OtherHost {
        /// The host of the claimed node, or its address if no certificate can name the host.
        expected: String,
        /// The node that refuses the peer.
        own: String,
        /// The hosts in the certificate.
        named: String,
    },
}

/// Checks that a certificate with these hosts proves that a peer is the node `claimed`.
///
/// # Errors
/// The reason why it does not.
pub(super) fn check(
    own: &Options,
    group: Option<&Group>,
    claimed: &str,
    hosts: &CertificateHosts,
) -> Result<(), UnprovenSender> {
    let address = match (&own.inventory, group) {
        _ if claimed == own.node_id => Some(own.address.clone()),
        (Some(inventory), _) => listed_address(inventory, claimed),
        // A member that could not read its inventory knows the addresses from the log.
        (None, Some(group)) => logged_address(group, claimed),
        (None, None) => None,
    };
    check_address(&own.node_id, address, hosts)
}

fn check_address(
    own: &str,
    address: Option<String>,
    hosts: &CertificateHosts,
) -> Result<(), UnprovenSender> {
    let own = own.to_owned();
    let Some(address) = address else {
        return Err(UnprovenSender::NotListed(own));
    };
    let host = certified_host(&address);
    let is_named = host.as_ref().is_ok_and(|host| hosts.has(host));
    match is_named || is_planted(Bug::PeerHostUnchecked) {
        true => Ok(()),
        false => Err(UnprovenSender::OtherHost {
            expected: host.map_or_else(|_| shown(&address), |host| host.to_str().into_owned()),
            own,
            named: hosts.list(),
        }),
    }
}

fn listed_address(inventory: &Inventory, node_id: &str) -> Option<String> {
    let mut entries = inventory.entries.iter();
    let entry = entries.find(|entry| entry.node_id == node_id)?;
    Some(entry.address.clone())
}

fn logged_address(group: &Group, node_id: &str) -> Option<String> {
    let view = group.view();
    let view = view.borrow();
    let mut members = view.members();
    let (_, member, _) = members.find(|(_, member, _)| member.node_id == node_id)?;
    Some(member.address.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    fn hosts(name: &str) -> CertificateHosts {
        let stores = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/crates/security/src/key_store/stores"
        );
        let certificate = CertificateDer::from_pem_file(format!("{stores}/{name}.pem"));
        CertificateHosts::of(&certificate.expect("a certificate")).expect("its names")
    }

    fn at(address: &str, certificate: &str) -> Result<(), String> {
        let address = Some(address.to_owned());
        check_address("a", address, &hosts(certificate)).map_err(|error| error.to_string())
    }

    /// A certificate must name exactly the host of the address, without a wildcard.
    #[test]
    fn the_host_must_be_named() {
        assert_eq!(at("http://127.0.0.1:8411", "ec"), Ok(()));
        assert_eq!(at("https://[::1]:8443", "ec"), Ok(()));
        assert_eq!(at("http://N1.example.org:8411", "ec"), Ok(()));
        assert_eq!(at("http://n2.example.org:8411", "rsa"), Ok(()));
        for (address, certificate, expected, named) in [
            (
                "http://127.0.0.1:1",
                "client",
                "127.0.0.1",
                "10.0.0.7, w1.example.org",
            ),
            ("http://127.0.0.1:1", "rsa", "127.0.0.1", "n2.example.org"),
            (
                "http://a.n2.example.org:1",
                "rsa",
                "a.n2.example.org",
                "n2.example.org",
            ),
            (
                "http://n1:1",
                "ec",
                "n1",
                "127.0.0.1, [::1], n1.example.org",
            ),
            ("http://n..1:1", "rsa", "http://n..1:1", "n2.example.org"),
        ] {
            let reason = format!(
                "its certificate does not name {expected}, where a has this node in its \
                 inventory; it names {named}"
            );
            assert_eq!(at(address, certificate), Err(reason));
        }
        let unlisted = check_address("a", None, &hosts("ec"));
        assert_eq!(unlisted, Err(UnprovenSender::NotListed("a".to_owned())));
    }
}
