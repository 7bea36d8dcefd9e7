//! The check of the tokens of engines ([`EngineKeys`]).

use super::certificate::ClientCertificate;
use super::principal::Principal;
use crate::clock::wall_ms;
use crate::http::error::ApiError;
use crate::http::limited_log::LimitedLog;
use crate::model::shown;
use crate::planted::{Bug, is_planted};
use crate::security::{EngineKeys, EngineTokenError};
use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// The headers that carry an engine's token, each with its name as the engines write it: first the
/// header of Presto and PrestoSQL, then that of Trino.
static TOKEN_HEADERS: [(HeaderName, &str); 2] = [
    (
        HeaderName::from_static("x-presto-internal-bearer"),
        "X-Presto-Internal-Bearer",
    ),
    (
        HeaderName::from_static("x-trino-internal-bearer"),
        "X-Trino-Internal-Bearer",
    ),
];

/// The header that most proxies add.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The path prefix of announcements.
const ANNOUNCEMENT: &str = "/v1/announcement/";

/// The proof that engines give when they announce or withdraw themselves
/// (`discovery.announcement.authentication`).
#[derive(Debug, Clone, Default)]
pub enum EngineSecurity {
    /// No proof: everyone can announce and withdraw every engine.
    #[default]
    Off,
    /// A token that was signed with the shared secret for the node id in question.
    Tokens {
        /// The keys that are valid now.
        keys: watch::Receiver<Arc<EngineKeys>>,
        /// Whether an engine without a token is refused (`require`) or accepted (`verify`). A token
        /// that an engine sends must be valid in both cases.
        is_required: bool,
        /// The networks whose engines need no token. They are for C++ workers, which have none.
        trusted_addresses: Vec<IpNet>,
    },
}

/// The check of engines, with a log of those that are accepted without a token.
pub(in crate::http) struct EngineCheck {
    security: EngineSecurity,
    accepted: LimitedLog,
}

impl EngineCheck {
    pub(in crate::http) fn new(security: EngineSecurity) -> EngineCheck {
        EngineCheck {
            security,
            accepted: LimitedLog::new("accepted"),
        }
    }

    /// Returns whether engines are accepted without any proof.
    pub(in crate::http) fn is_off(&self) -> bool {
        matches!(self.security, EngineSecurity::Off)
    }

    /// Returns whether engines must prove who they are.
    pub(in crate::http) fn is_required(&self) -> bool {
        matches!(
            self.security,
            EngineSecurity::Tokens {
                is_required: true,
                ..
            }
        )
    }

    /// Checks the client of an announcement or a withdrawal. A trusted address is that of the
    /// socket, because a header that names an address proves nothing. A certificate is checked
    /// later, against the announcement (`check_certificate`).
    ///
    /// # Errors
    /// 401 if the token is invalid, or is missing and required; 403 if the token belongs to another
    /// node.
    pub(in crate::http) fn check(
        &self,
        address: IpAddr,
        certificate: Option<&Arc<ClientCertificate>>,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Principal, ApiError> {
        let EngineSecurity::Tokens {
            is_required,
            trusted_addresses,
            ..
        } = &self.security
        else {
            return Ok(Principal::Anonymous);
        };
        let node_id = path.strip_prefix(ANNOUNCEMENT).unwrap_or_default();
        let node_id = percent_decode_str(node_id).decode_utf8_lossy();
        if let Some(subject) = self.subject(headers)? {
            return match subject == node_id || is_planted(Bug::SubjectUnchecked) {
                true => Ok(Principal::Engine(subject)),
                false => Err(ApiError::Forbidden(format!(
                    "The token is of node {}, not of {}",
                    shown(&subject),
                    shown(&node_id)
                ))),
            };
        }
        let named = is_planted(Bug::ForwardedForTrusted)
            .then(|| headers.get(X_FORWARDED_FOR)?.to_str().ok()?.parse().ok())
            .flatten();
        let address = named.unwrap_or(address).to_canonical();
        let trusted = trusted_addresses
            .iter()
            .find(|network| network.contains(&address));
        if let Some(network) = trusted {
            self.note_proxy(address, headers);
            return Ok(Principal::TrustedAddress(*network));
        }
        // Only for the methods whose handlers check the certificate.
        if let Some(certificate) = certificate
            && matches!(*method, Method::PUT | Method::DELETE)
            && !certificate.has_expired(wall_ms() / 1_000)
        {
            return Ok(Principal::Certificate(certificate.clone()));
        }
        if *is_required {
            return Err(ApiError::Unauthenticated(format!(
                "An announcement needs X-Presto-Internal-Bearer or X-Trino-Internal-Bearer, and \
                 {address} is not in discovery.announcement.trusted-addresses and has shown no \
                 certificate of http-server.https.truststore.path"
            )));
        }
        if method == Method::PUT {
            self.note_tokenless(address, &node_id);
        }
        Ok(Principal::Anonymous)
    }

    /// Returns the node id of the engine whose token the request has. Returns `None` if the request
    /// has no token, or if this node checks none.
    ///
    /// # Errors
    /// 401 if the token is invalid.
    pub(super) fn subject(&self, headers: &HeaderMap) -> Result<Option<String>, ApiError> {
        let EngineSecurity::Tokens { keys, .. } = &self.security else {
            return Ok(None);
        };
        let Some((header, token)) = token(headers)? else {
            return Ok(None);
        };
        let invalid =
            |error: EngineTokenError| ApiError::Unauthenticated(format!("{header}: {error}"));
        let token = token
            .to_str()
            .map_err(|_| invalid(EngineTokenError::Malformed))?;
        let keys = keys.borrow().clone();
        keys.verify(token, wall_ms() / 1_000)
            .map(Some)
            .map_err(invalid)
    }

    /// Logs the reason why a certificate does not prove who the client is. Returns the reason if a
    /// proof is required.
    pub(super) fn refuse_certificate(
        &self,
        refusals: &LimitedLog,
        address: IpAddr,
        request: &str,
        reason: String,
    ) -> Result<(), String> {
        if self.is_required() {
            refusals.note(address, request, &reason);
            return Err(reason);
        }
        let reason =
            format!("{reason}, which discovery.announcement.authentication=require would refuse");
        self.accepted.note(address, request, &reason);
        Ok(())
    }

    /// Logs an engine that announces itself without a token, which `require` would refuse.
    fn note_tokenless(&self, address: IpAddr, node_id: &str) {
        let node_id = shown(node_id);
        let reason = format!(
            "{node_id} announces itself without a token, which \
             discovery.announcement.authentication=require would refuse"
        );
        self.accepted.note(address, "", &reason);
    }

    /// Logs a request from a trusted address that came through a proxy. All clients of the proxy
    /// have that address, and are therefore trusted too.
    fn note_proxy(&self, address: IpAddr, headers: &HeaderMap) {
        if headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED) {
            self.accepted.note(
                address,
                "",
                "it is in discovery.announcement.trusted-addresses and is a proxy, so everyone who \
                 reaches it may announce every engine",
            );
        }
    }
}

/// Returns the token of a request and the name of its header, or `None` if the request has no
/// token.
///
/// # Errors
/// 401 if there are several tokens.
fn token(headers: &HeaderMap) -> Result<Option<(&'static str, &HeaderValue)>, ApiError> {
    let mut tokens = TOKEN_HEADERS.iter().flat_map(|(header, name)| {
        let values = headers.get_all(header).into_iter();
        values.map(move |value| (*name, value))
    });
    match (tokens.next(), tokens.next()) {
        (token, None) => Ok(token),
        (_, Some(_)) => Err(ApiError::Unauthenticated(
            "A request may have only one token".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::SecretList;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    /// A certificate admits an engine only until it expires, although a connection that was opened
    /// before may last longer.
    #[test]
    fn an_expired_certificate_proves_nothing() {
        let secrets = SecretList::parse("an-engines-secret-of-32-bytes-or-more").expect("a list");
        let (_sender, keys) = watch::channel(Arc::new(EngineKeys::derive(&secrets, "test")));
        let engines = EngineCheck::new(EngineSecurity::Tokens {
            keys,
            is_required: true,
            trusted_addresses: Vec::new(),
        });
        for (name, is_admitted) in [("client", true), ("expired", false)] {
            let stores = concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/crates/security/src/key_store/stores"
            );
            let certificate = CertificateDer::from_pem_file(format!("{stores}/{name}.pem"));
            let chain = [certificate.expect("a certificate")];
            let certificate = ClientCertificate::of_chain(Some(&chain)).map(Arc::new);
            let checked = engines.check(
                IpAddr::from([127, 0, 0, 1]),
                certificate.as_ref(),
                &Method::PUT,
                "/v1/announcement/w1",
                &HeaderMap::new(),
            );
            assert_eq!(
                matches!(checked, Ok(Principal::Certificate(_))),
                is_admitted,
                "{name}: {checked:?}"
            );
        }
    }
}
