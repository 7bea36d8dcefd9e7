//! The encryption of private keys in JKS: a key stream of SHA-1, which is not secure, with a
//! checksum.

use crate::der::{DerError, DerReader, OCTET_STRING, OID, SEQUENCE};
use ring::digest::{Context, Digest, SHA1_FOR_LEGACY_USE_ONLY, SHA1_OUTPUT_LEN};

/// The object identifier of this encryption (1.3.6.1.4.1.42.2.17.1.1).
const KEY_PROTECTOR: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a, 0x02, 0x11, 0x01, 0x01];

/// An encrypted private key.
pub(super) struct ProtectedKey<'a> {
    salt: &'a [u8],
    encrypted: &'a [u8],
    checksum: &'a [u8],
}

impl<'a> ProtectedKey<'a> {
    /// Reads an `EncryptedPrivateKeyInfo`.
    pub(super) fn read(der: &'a [u8]) -> Result<ProtectedKey<'a>, DerError> {
        let mut outer = DerReader::new(der);
        let mut info = outer.enter(SEQUENCE)?;
        outer.end()?;
        if info.enter(SEQUENCE)?.expect(OID)? != KEY_PROTECTOR {
            return Err(DerError);
        }
        let data = info.expect(OCTET_STRING)?;
        let split = data.split_at_checked(SHA1_OUTPUT_LEN).ok_or(DerError)?;
        let (salt, data) = split;
        let length = data.len().checked_sub(SHA1_OUTPUT_LEN).ok_or(DerError)?;
        let (encrypted, checksum) = data.split_at(length);
        Ok(ProtectedKey {
            salt,
            encrypted,
            checksum,
        })
    }

    /// Decrypts the key with a password in UTF-16. Returns `None` if the checksum does not match.
    pub(super) fn decrypt(&self, password: &[u8]) -> Option<Vec<u8>> {
        let plain = self.unchecked(password);
        (sha1(&[password, &plain]).as_ref() == self.checksum).then_some(plain)
    }

    /// Decrypts the key without a look at the checksum. Each byte that has been changed changes
    /// only itself.
    pub(super) fn unchecked(&self, password: &[u8]) -> Vec<u8> {
        let mut plain = Vec::with_capacity(self.encrypted.len());
        let mut stream = sha1(&[password, self.salt]);
        for block in self.encrypted.chunks(SHA1_OUTPUT_LEN) {
            let bytes = block.iter().zip(stream.as_ref());
            plain.extend(bytes.map(|(byte, mask)| byte ^ mask));
            stream = sha1(&[password, stream.as_ref()]);
        }
        plain
    }
}

/// Returns the hash of the concatenated parts.
pub(super) fn sha1(parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        context.update(part);
    }
    context.finish()
}
