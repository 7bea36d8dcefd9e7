//! Facts about a certificate, for warnings before it expires and for the names of clients.
//!
//! Only fields are read here. rustls verifies certificates.

mod fields;
mod time;

use crate::der::{DerError, DerReader, OCTET_STRING, OID, SEQUENCE, context_primitive};
use rustls::pki_types::CertificateDer;
use std::net::IpAddr;
use thiserror::Error;

pub(crate) use fields::{CertificateFields, PublicKeyFields};

/// The object identifier of the extension with the alternative names (2.5.29.17).
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// The object identifier of the extension that tells authorities from others (2.5.29.19).
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];

/// The error of bytes that are not a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a certificate is damaged")]
pub struct UnreadableCertificate;

impl From<DerError> for UnreadableCertificate {
    fn from(_: DerError) -> UnreadableCertificate {
        UnreadableCertificate
    }
}

/// A name for which a certificate is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectAltName {
    /// A host name, in lower case. Its first label may be `*`.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
}

/// Returns the time after which a certificate is not valid, in seconds since 1970.
///
/// # Errors
/// Returns an error if the bytes are not a certificate.
pub fn not_after_s(certificate: &CertificateDer<'_>) -> Result<i64, UnreadableCertificate> {
    Ok(CertificateFields::read(certificate)?.not_after_s)
}

/// Returns the host names and IP addresses for which a certificate is valid. Names of other kinds
/// are left out, and so is the common name, which no client has used since RFC 9525.
///
/// # Errors
/// Returns an error if the bytes are not a certificate.
pub fn subject_alt_names(
    certificate: &CertificateDer<'_>,
) -> Result<Vec<SubjectAltName>, UnreadableCertificate> {
    let fields = CertificateFields::read(certificate)?;
    let mut names = Vec::new();
    if let Some(value) = extension(fields, SUBJECT_ALT_NAME)? {
        let mut list = DerReader::new(value).enter(SEQUENCE)?;
        while !list.is_empty() {
            let name = list.element()?;
            names.extend(alt_name(name.tag, name.content));
        }
    }
    Ok(names)
}

/// Returns whether a certificate is that of an authority, which may issue others. A certificate
/// without extensions, which is older than these, is that of an authority if it has issued itself.
///
/// # Errors
/// Returns an error if the bytes are not a certificate.
pub(crate) fn is_authority(
    certificate: &CertificateDer<'_>,
) -> Result<bool, UnreadableCertificate> {
    const BOOLEAN: u8 = 0x01;
    let fields = CertificateFields::read(certificate)?;
    if fields.extensions.is_none() {
        return Ok(fields.is_self_issued());
    }
    let Some(value) = extension(fields, BASIC_CONSTRAINTS)? else {
        return Ok(false);
    };
    let mut constraints = DerReader::new(value).enter(SEQUENCE)?;
    if constraints.is_empty() {
        return Ok(false);
    }
    let first = constraints.element()?;
    Ok(first.tag == BOOLEAN && first.content != [0])
}

/// Returns the value of an extension, if the certificate has it.
fn extension<'a>(
    fields: CertificateFields<'a>,
    identifier: &[u8],
) -> Result<Option<&'a [u8]>, UnreadableCertificate> {
    let Some(mut extensions) = fields.extensions else {
        return Ok(None);
    };
    while !extensions.is_empty() {
        let mut extension = extensions.enter(SEQUENCE)?;
        if extension.expect(OID)? != identifier {
            continue;
        }
        // The flag that tells whether the extension is critical comes before the value.
        loop {
            let element = extension.element()?;
            if element.tag == OCTET_STRING {
                return Ok(Some(element.content));
            }
        }
    }
    Ok(None)
}

/// Returns the name of a `GeneralName`, if it is a host name or an address.
fn alt_name(tag: u8, content: &[u8]) -> Option<SubjectAltName> {
    const DNS_NAME: u8 = context_primitive(2);
    const IP_ADDRESS: u8 = context_primitive(7);
    match tag {
        DNS_NAME if content.is_ascii() => {
            let name = String::from_utf8_lossy(content).to_ascii_lowercase();
            Some(SubjectAltName::Dns(name))
        }
        IP_ADDRESS => {
            let v4 = <[u8; 4]>::try_from(content).map(IpAddr::from);
            let ip = v4.or_else(|_| <[u8; 16]>::try_from(content).map(IpAddr::from));
            ip.ok().map(SubjectAltName::Ip)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
