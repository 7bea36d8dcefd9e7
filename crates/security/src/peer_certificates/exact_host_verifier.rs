//! The check of the certificate of a peer that is dialed.

use crate::certificate_hosts::CertificateHosts;
use crate::https::TrustedRoots;
use crate::peer_keys::older_than_tls13;
use quorate_planted::{Bug, is_planted};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// A verifier that accepts a certificate if one of the trusted authorities has issued it for
/// servers, and if it names exactly the host that is dialed. The verifier of rustls would accept a
/// wildcard too.
#[derive(Debug)]
pub(super) struct ExactHostVerifier {
    roots: TrustedRoots,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ExactHostVerifier {
    pub(super) fn new(roots: TrustedRoots, provider: &CryptoProvider) -> ExactHostVerifier {
        ExactHostVerifier {
            roots,
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for ExactHostVerifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(shown)?;
        let algorithms = self.algorithms.all;
        let (roots, more) = self.roots.path_of(shown, more)?;
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, more, now, algorithms)?;
        let hosts = CertificateHosts::of(shown).map_err(|_| CertificateError::BadEncoding)?;
        match hosts.has(host) || is_planted(Bug::PeerHostUnchecked) {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::NotValidForNameContext {
                expected: host.to_owned(),
                presented: vec![hosts.list()],
            }
            .into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(older_than_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, shown, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
