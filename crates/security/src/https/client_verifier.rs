//! The check of the certificates that clients show.

use super::error::HttpsError;
use super::trusted_roots::TrustedRoots;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use std::sync::Arc;

/// Maximum size of the list of issuers that a client is shown, in bytes. TLS has a limit of 64 KiB.
/// A client without the list shows the certificate that it has.
const HINTS_BYTES_MAX: usize = 16 << 10;

/// The kind of the ends that dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DialingEnd {
    /// A client, which may show no certificate. One that it shows must be for clients.
    Client,
    /// A peer, which must show a certificate. It must be for servers too, since a peer is both.
    /// Otherwise, a worker at the host of a node could act as the node.
    Peer,
}

/// A verifier of the certificates of ends that dial.
#[derive(Debug)]
pub(crate) struct DialingVerifier {
    end: DialingEnd,
    roots: TrustedRoots,
    /// The verifiers of rustls for the two parts of `roots`, unless a part is empty.
    by_authorities: Option<Arc<dyn ClientCertVerifier>>,
    by_others: Option<Arc<dyn ClientCertVerifier>>,
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl DialingVerifier {
    pub(crate) fn new(
        end: DialingEnd,
        roots: TrustedRoots,
        provider: &Arc<CryptoProvider>,
    ) -> Result<DialingVerifier, HttpsError> {
        let mut hints = roots.authorities().subjects();
        hints.extend(roots.others().subjects());
        let hints_bytes: usize = hints.iter().map(|name| name.as_ref().len()).sum();
        if end == DialingEnd::Peer || hints_bytes > HINTS_BYTES_MAX {
            // A peer has one certificate, and needs no hint.
            hints.clear();
        }
        Ok(DialingVerifier {
            end,
            by_authorities: verifier(roots.authorities(), provider)?,
            by_others: verifier(roots.others(), provider)?,
            roots,
            hints,
            algorithms: provider.signature_verification_algorithms,
        })
    }
}

/// Returns the verifier of rustls for these trusted certificates, or `None` without any.
fn verifier(
    roots: &Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, HttpsError> {
    if roots.is_empty() {
        return Ok(None);
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
    let built = builder.build();
    built
        .map(Some)
        .map_err(|error| HttpsError::UnusableAnchor(error.to_string()))
}

impl ClientCertVerifier for DialingVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.end == DialingEnd::Peer
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let (roots, more) = self.roots.path_of(shown, more)?;
        let verifier = match Arc::ptr_eq(roots, self.roots.authorities()) {
            true => &self.by_authorities,
            false => &self.by_others,
        };
        let verifier = verifier.as_ref().ok_or(CertificateError::UnknownIssuer)?;
        if self.end == DialingEnd::Peer {
            let parsed = ParsedCertificate::try_from(shown)?;
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&parsed, roots, more, now, algorithms)?;
        }
        verifier.verify_client_cert(shown, more, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, shown, signature, &self.algorithms)
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
