//! The bags of a PKCS #12 store: its keys and certificates, with their attributes.

use super::identifiers::{BAG, PKCS9, TRUSTED_KEY_USAGE};
use crate::der::{BMP_STRING, DerReader, OCTET_STRING, OID, SEQUENCE, SET, context};
use crate::key_store::alias::shown_alias;
use crate::key_store::encryption::Encryption;
use crate::key_store::error::KeyStoreError;

/// A key or a certificate.
pub(super) struct SafeBag<'a> {
    pub(super) content: BagContent<'a>,
    /// The name of the entry.
    pub(super) alias: Option<String>,
    /// A key and its certificate have the same identifier.
    pub(super) local_key_id: Option<&'a [u8]>,
    /// Java marks the certificates that are trusted entries. All others belong to chains.
    pub(super) is_trusted: bool,
}

/// The content of a bag.
pub(super) enum BagContent<'a> {
    /// A private key in PKCS #8.
    Key(&'a [u8]),
    /// An encrypted private key, and how it is encrypted.
    EncryptedKey(Encryption<'a>, &'a [u8]),
    /// A certificate.
    Certificate(&'a [u8]),
}

/// Reads a `SafeContents`. The iterations of encrypted keys are checked. Bags of other kinds, such
/// as secret keys, are left out; so are bags in bags, which no program writes.
pub(super) fn read_bags(contents: &[u8]) -> Result<Vec<SafeBag<'_>>, KeyStoreError> {
    let mut outer = DerReader::new(contents);
    let mut list = outer.enter(SEQUENCE)?;
    outer.end()?;
    let mut bags = Vec::new();
    while !list.is_empty() {
        let mut bag = list.enter(SEQUENCE)?;
        let oid = bag.expect(OID)?;
        let mut value = bag.enter(context(0))?;
        let content = match oid.strip_prefix(BAG) {
            Some([1]) => BagContent::Key(value.element()?.whole),
            Some([2]) => {
                let mut info = value.enter(SEQUENCE)?;
                let encryption = Encryption::read(&mut info)?;
                BagContent::EncryptedKey(encryption, info.expect(OCTET_STRING)?)
            }
            Some([3]) => match certificate(&mut value)? {
                Some(certificate) => BagContent::Certificate(certificate),
                None => continue,
            },
            _ => continue,
        };
        let mut read = SafeBag {
            content,
            alias: None,
            local_key_id: None,
            is_trusted: false,
        };
        if !bag.is_empty() {
            read.read_attributes(bag.enter(SET)?)?;
        }
        bags.push(read);
    }
    Ok(bags)
}

/// Reads a `CertBag`. Returns `None` for a certificate that is not of X.509.
fn certificate<'a>(value: &mut DerReader<'a>) -> Result<Option<&'a [u8]>, KeyStoreError> {
    const X509_CERTIFICATE: [u8; 2] = [22, 1];
    let mut bag = value.enter(SEQUENCE)?;
    if bag.expect(OID)?.strip_prefix(PKCS9) != Some(&X509_CERTIFICATE) {
        return Ok(None);
    }
    Ok(Some(bag.enter(context(0))?.expect(OCTET_STRING)?))
}

impl<'a> SafeBag<'a> {
    fn read_attributes(&mut self, mut attributes: DerReader<'a>) -> Result<(), KeyStoreError> {
        while !attributes.is_empty() {
            let mut attribute = attributes.enter(SEQUENCE)?;
            let oid = attribute.expect(OID)?;
            let mut values = attribute.enter(SET)?;
            match oid.strip_prefix(PKCS9) {
                Some([20]) => self.alias = Some(bmp_string(values.expect(BMP_STRING)?)),
                Some([21]) => self.local_key_id = Some(values.expect(OCTET_STRING)?),
                _ => self.is_trusted |= oid == TRUSTED_KEY_USAGE,
            }
        }
        Ok(())
    }
}

/// Decodes a string in UTF-16.
fn bmp_string(content: &[u8]) -> String {
    let units = content.chunks_exact(2);
    let units = units.map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
    shown_alias(&String::from_utf16_lossy(&units.collect::<Vec<_>>()))
}
