//! The key and certificate that airlift derives from a shared secret
//! (`http-server.https.automatic-shared-secret`).
//!
//! Each node derives the same key from the secret, and makes a certificate for its own addresses.
//! An engine derives the key too, and trusts a certificate of that key whose subject is the
//! environment. The derivation is that of the JDK: a key pair on the curve P-256 by a `SHA1PRNG`
//! with the secret as its seed.
//!
//! The certificate has no authority key identifier, because airlift's trust manager would compare
//! it with a certificate that it makes itself.

mod p256_field;
mod p256_key;
mod sha1_prng;

use crate::ec_private_key::{P256, ec_private_key};
use crate::key_store::KeyStore;
use crate::secret::Secret;
use p256_key::{java_private_key, p256_public_key};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, SanType,
    SerialNumber, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use std::net::IpAddr;
use std::time::Duration;
use thiserror::Error;

const DAY_S: u64 = 86_400;
/// Number of days for which a certificate is valid: ten years.
const VALID_DAYS: u64 = 3_652;

/// The parts of an automatic certificate. The `Debug` output does not show the secret.
#[derive(Debug, Clone, Copy)]
pub struct AutomaticCertificate<'a> {
    /// The secret that the nodes and engines share.
    pub secret: &'a Secret,
    /// The environment, which becomes the common name.
    pub environment: &'a str,
    /// The addresses of this node. airlift takes all but unspecified, link-local and multicast
    /// ones.
    pub addresses: &'a [IpAddr],
    /// The time in milliseconds since 1970, which becomes the serial number too.
    pub now_ms: u64,
}

/// The reason why an automatic certificate cannot be made, which hardly any input can cause.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AutomaticCertificateError {
    /// The secret yields no private key.
    #[error("the secret yields no key: choose another one")]
    NoKey,
    /// The certificate cannot be encoded or signed.
    #[error("no certificate can be made: {0}")]
    NoCertificate(
        /// The reason.
        String,
    ),
}

impl From<rcgen::Error> for AutomaticCertificateError {
    fn from(error: rcgen::Error) -> AutomaticCertificateError {
        AutomaticCertificateError::NoCertificate(error.to_string())
    }
}

impl AutomaticCertificate<'_> {
    /// Derives the key, and makes a certificate that is valid from the beginning of this day.
    ///
    /// # Errors
    /// Returns an error if the secret yields no key, or if the certificate cannot be made.
    pub fn key_store(&self) -> Result<KeyStore, AutomaticCertificateError> {
        let scalar = java_private_key(self.secret.bytes());
        let key = p256_public_key(&scalar).and_then(|point| ec_private_key(&scalar, P256, &point));
        let key = key.ok_or(AutomaticCertificateError::NoKey)?;
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256)?;
        let certificate = self.parameters()?.self_signed(&pair)?;
        Ok(KeyStore::of_one(
            self.environment.to_owned(),
            PrivateKeyDer::Pkcs8(key),
            certificate.der().clone(),
        ))
    }

    fn parameters(&self) -> Result<CertificateParams, AutomaticCertificateError> {
        let mut parameters = CertificateParams::default();
        let mut subject = DistinguishedName::new();
        subject.push(DnType::CommonName, self.environment);
        parameters.distinguished_name = subject;
        let day = self.now_ms / 1_000 / DAY_S;
        let since_1970 = |seconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
        parameters.not_before = since_1970(day * DAY_S);
        parameters.not_after = since_1970((day + VALID_DAYS + 1) * DAY_S - 1);
        parameters.serial_number = Some(SerialNumber::from(self.now_ms));
        for address in self.addresses {
            let name = host_name(*address).try_into()?;
            parameters.subject_alt_names.push(SanType::DnsName(name));
            parameters
                .subject_alt_names
                .push(SanType::IpAddress(*address));
        }
        Ok(parameters)
    }
}

/// Returns the host name that stands for an address in airlift: `10-1-2-3.ip`, and with an `x`
/// before an IPv6 address.
fn host_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("{}.ip", v4.to_string().replace('.', "-")),
        IpAddr::V6(v6) => format!("x{}.ip", v6.to_string().replace(':', "-")),
    }
}

#[cfg(test)]
mod tests;
