//! PKCS #12 stores (RFC 7292), as keytool and OpenSSL write them.
//!
//! A store has parts, which are lists of bags. Certificates are mostly in an encrypted part, and
//! each private key is encrypted by itself. A MAC proves that the password is right and that
//! nothing has been changed, but not which of the two is wrong. Therefore, if the MAC is wrong, a
//! part that the password decrypts tells that the file is damaged.

mod bags;
mod identifiers;
mod mac;
mod safes;

use super::certificate_pool::CertificatePool;
use super::encryption::IterationBudget;
use super::error::KeyStoreError;
use super::limits::KEYS_MAX;
use super::passwords::StorePasswords;
use super::private_key::{KeyMatcher, begins_as_pkcs8, pkcs8_key};
use super::store::{KeyEntry, KeyStore};
use bags::{BagContent, SafeBag, read_bags};
use safes::{Pkcs12File, SafePart, decrypt_part};

/// The first byte of a PKCS #12 store: the tag of a sequence.
pub(super) const PKCS12_MAGIC: &[u8] = &[0x30];

const UNREADABLE_KEY: KeyStoreError = KeyStoreError::Damaged("a private key cannot be read");

/// Reads a PKCS #12 store.
pub(super) fn read_pkcs12(
    bytes: &[u8],
    passwords: &StorePasswords<'_>,
    budget: &mut IterationBudget,
) -> Result<KeyStore, KeyStoreError> {
    // In BER, an element may have no length.
    if bytes.starts_with(&[PKCS12_MAGIC[0], 0x80]) {
        return Err(KeyStoreError::Ber);
    }
    let file = Pkcs12File::read(bytes)?;
    let parts = file.parts()?;
    // All parts that are not encrypted are read before anything is derived, so that their numbers
    // of iterations are checked first.
    let mut plain_bags = Vec::new();
    for part in &parts {
        if let SafePart::Plain(contents) = part {
            plain_bags.extend(read_bags(contents)?);
        }
    }
    let mut opened = OpenedStore {
        passwords,
        budget,
        is_password_right: false,
    };
    opened.check_mac(&file, &parts, &plain_bags)?;
    let decrypted = opened.decrypt_parts(&parts)?;
    let mut bags = Vec::new();
    for contents in &decrypted {
        bags.extend(read_bags(contents)?);
    }
    bags.extend(plain_bags);
    opened.store(&bags)
}

/// A store that is being decrypted.
struct OpenedStore<'a> {
    passwords: &'a StorePasswords<'a>,
    budget: &'a mut IterationBudget,
    /// The MAC or a part has proved that the password of the store is right.
    is_password_right: bool,
}

impl OpenedStore<'_> {
    /// Checks the MAC. Like Java, it does not check it without a password.
    fn check_mac(
        &mut self,
        file: &Pkcs12File<'_>,
        parts: &[SafePart<'_>],
        plain_bags: &[SafeBag<'_>],
    ) -> Result<(), KeyStoreError> {
        let (Some(mac), Some(password)) = (&file.mac, self.passwords.store) else {
            return Ok(());
        };
        self.is_password_right = mac.verify(file.content, password, self.budget)?;
        if self.is_password_right {
            return Ok(());
        }
        match self.decrypts_something(password, parts, plain_bags) {
            Ok(true) => Err(KeyStoreError::Damaged("its checksum does not match")),
            // A store with many keys may take more iterations than are left after the MAC.
            Ok(false) | Err(_) => Err(KeyStoreError::WrongPassword),
        }
    }

    /// Returns whether the password decrypts a part, or the first key outside of these parts.
    fn decrypts_something(
        &mut self,
        password: &str,
        parts: &[SafePart<'_>],
        plain_bags: &[SafeBag<'_>],
    ) -> Result<bool, KeyStoreError> {
        for part in parts {
            if let SafePart::Encrypted(encryption, data) = part
                && decrypt_part(encryption, data, password, self.budget)?.is_some()
            {
                return Ok(true);
            }
        }
        let key = plain_bags.iter().find_map(|bag| match &bag.content {
            BagContent::EncryptedKey(encryption, data) => Some((encryption, data)),
            _ => None,
        });
        let Some((encryption, data)) = key else {
            return Ok(false);
        };
        let plain = encryption.decrypt(data, password, self.budget)?;
        Ok(plain.is_some_and(|plain| begins_as_pkcs8(&plain)))
    }

    /// Decrypts the parts that are encrypted. Without a password, the empty one is tried.
    fn decrypt_parts(&mut self, parts: &[SafePart<'_>]) -> Result<Vec<Vec<u8>>, KeyStoreError> {
        let mut decrypted = Vec::new();
        for part in parts {
            let SafePart::Encrypted(encryption, data) = part else {
                continue;
            };
            let password = self.passwords.store.unwrap_or_default();
            let plain = decrypt_part(encryption, data, password, self.budget)?;
            match plain {
                Some(plain) => decrypted.push(plain),
                None if self.passwords.store.is_none() => return Err(KeyStoreError::NoPassword),
                None if self.is_password_right => {
                    return Err(KeyStoreError::Damaged("a part cannot be decrypted"));
                }
                None => return Err(KeyStoreError::WrongPassword),
            }
            self.is_password_right |= self.passwords.store.is_some();
        }
        Ok(decrypted)
    }

    /// Puts the keys and certificates together.
    fn store(&mut self, bags: &[SafeBag<'_>]) -> Result<KeyStore, KeyStoreError> {
        let mut pool = CertificatePool::default();
        let mut keys = Vec::new();
        let mut certificates = Vec::new();
        for bag in bags {
            match bag.content {
                BagContent::Certificate(der) => certificates.push((pool.add(der)?, bag)),
                _ if keys.len() == KEYS_MAX => return Err(KeyStoreError::TooManyKeys),
                _ => keys.push(bag),
            }
        }
        let mut store = KeyStore::default();
        for (number, bag) in (1..).zip(&keys) {
            let alias = bag.alias.clone().unwrap_or_else(|| number.to_string());
            let key = self.key(bag, &alias)?;
            let of_key = |(_, certificate): &&(usize, &SafeBag<'_>)| {
                bag.local_key_id.is_some() && certificate.local_key_id == bag.local_key_id
            };
            let by_id = certificates.iter().find(of_key).map(|(index, _)| *index);
            let (first, key) = match by_id {
                Some(index) => match pool.pair(index, &key) {
                    Some(paired) => (index, paired),
                    None => (index, key.into_key()),
                },
                None => pool
                    .find(&key)
                    .ok_or_else(|| KeyStoreError::NoCertificateOfKey(format!(" {alias}")))?,
            };
            store.add_entry(KeyEntry {
                alias,
                key,
                chain: pool.chain(first)?,
            })?;
        }
        // OpenSSL marks no certificate as trusted. Without a key, all of them can only be that.
        let all = pool.all().zip(&certificates);
        for (certificate, (_, bag)) in all {
            if bag.is_trusted || keys.is_empty() {
                store.add_trusted(certificate)?;
            }
        }
        Ok(store)
    }

    /// Decrypts a key.
    fn key(&mut self, bag: &SafeBag<'_>, alias: &str) -> Result<KeyMatcher, KeyStoreError> {
        let plain = match &bag.content {
            BagContent::EncryptedKey(encryption, data) => {
                let password = self.passwords.of_keys();
                let given = password.unwrap_or_default();
                let plain = encryption.decrypt(data, given, self.budget)?;
                let plain = plain.filter(|plain| begins_as_pkcs8(plain));
                plain.ok_or_else(|| match password {
                    None => KeyStoreError::NoPassword,
                    Some(_) if self.is_password_right || self.passwords.key.is_some() => {
                        KeyStoreError::WrongKeyPassword {
                            alias: alias.to_owned(),
                        }
                    }
                    Some(_) => KeyStoreError::WrongPassword,
                })?
            }
            BagContent::Key(der) => der.to_vec(),
            BagContent::Certificate(_) => return Err(UNREADABLE_KEY),
        };
        pkcs8_key(plain)
            .map(KeyMatcher::new)
            .map_err(|_| UNREADABLE_KEY)
    }
}
