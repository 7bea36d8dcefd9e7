//! The fields of a certificate that quorate reads (RFC 5280).

use super::time::unix_time_s;
use crate::der::{BIT_STRING, DerError, DerReader, INTEGER, OID, SEQUENCE};
use crate::der::{context, context_primitive};

/// The fields of a certificate. Nothing is verified.
pub(crate) struct CertificateFields<'a> {
    /// The encoded name of the issuer.
    pub(crate) issuer: &'a [u8],
    /// The encoded name of the subject.
    pub(crate) subject: &'a [u8],
    /// The time after which the certificate is not valid, in seconds since 1970.
    pub(crate) not_after_s: i64,
    pub(crate) public_key: PublicKeyFields<'a>,
    /// The extensions, which only version 3 has.
    pub(super) extensions: Option<DerReader<'a>>,
}

/// A public key, as a certificate contains it (`SubjectPublicKeyInfo`).
pub(crate) struct PublicKeyFields<'a> {
    /// The algorithm's object identifier.
    pub(crate) algorithm: &'a [u8],
    /// The algorithm's parameters, such as a curve.
    pub(crate) parameters: &'a [u8],
    /// The key itself, in an encoding that depends on the algorithm.
    pub(crate) key: &'a [u8],
}

impl<'a> CertificateFields<'a> {
    /// Reads the fields of a certificate in DER.
    pub(crate) fn read(der: &'a [u8]) -> Result<CertificateFields<'a>, DerError> {
        let mut outer = DerReader::new(der);
        let mut signed = outer.enter(SEQUENCE)?;
        outer.end()?;
        let mut fields = signed.enter(SEQUENCE)?;
        signed.expect(SEQUENCE)?;
        signed.expect(BIT_STRING)?;
        signed.end()?;

        fields.optional(context(0))?;
        fields.expect(INTEGER)?;
        fields.expect(SEQUENCE)?;
        let issuer = fields.expect(SEQUENCE)?;
        let mut validity = fields.enter(SEQUENCE)?;
        validity.element()?;
        let not_after = validity.element()?;
        let subject = fields.expect(SEQUENCE)?;
        let public_key = PublicKeyFields::read(&mut fields)?;
        fields.optional(context_primitive(1))?;
        fields.optional(context_primitive(2))?;
        let extensions = match fields.optional(context(3))? {
            Some(list) => Some(DerReader::new(list).enter(SEQUENCE)?),
            None => None,
        };
        fields.end()?;
        Ok(CertificateFields {
            issuer,
            subject,
            not_after_s: unix_time_s(not_after)?,
            public_key,
            extensions,
        })
    }

    /// Returns whether the subject has issued the certificate itself.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }
}

impl<'a> PublicKeyFields<'a> {
    /// Reads a `SubjectPublicKeyInfo`.
    pub(crate) fn read(reader: &mut DerReader<'a>) -> Result<PublicKeyFields<'a>, DerError> {
        let mut info = reader.enter(SEQUENCE)?;
        let mut identifier = info.enter(SEQUENCE)?;
        let algorithm = identifier.expect(OID)?;
        let parameters = match identifier.is_empty() {
            true => &[],
            false => identifier.element()?.content,
        };
        let key = info.bits()?;
        Ok(PublicKeyFields {
            algorithm,
            parameters,
            key,
        })
    }
}
