//! Keystores and truststores: PEM files, and the JKS and PKCS #12 stores of Java and OpenSSL.
//!
//! The content decides the format. Java's types "JKS" and "PKCS12" each read both formats too, so
//! the configured type of a store says little.
//!
//! A store may come from a program with errors, or be damaged. Reading never recurses, and
//! everything that the file chooses is limited (`limits.rs`): the number of keys and certificates,
//! the length of a chain, and the iterations with which keys are derived from a password.
//!
//! PKCS #12 is decoded here and not by the crate p12-keystore 0.4.1, which would bring 51 crates.
//! It decrypts keys by the password of the store only, does not distinguish a wrong password from a
//! damaged file, refuses more than a million iterations, and limits them for each key but not for a
//! store.

mod alias;
mod certificate_pool;
mod encryption;
mod error;
mod jks;
mod limits;
mod passwords;
mod pem;
mod pem_sections;
mod pkcs12;
mod private_key;
mod store;

use encryption::IterationBudget;
use jks::{JCEKS_MAGIC, JKS_MAGIC, read_jks};
use limits::ITERATIONS_TOTAL_MAX;
use pem::read_pem;
use pem_sections::PEM_BEGIN;
use pkcs12::{PKCS12_MAGIC, read_pkcs12};

pub use error::KeyStoreError;
pub use limits::STORE_BYTES_MAX;
pub use passwords::StorePasswords;
pub use store::{KeyEntry, KeyStore};

impl KeyStore {
    /// Reads a store from the bytes of its file.
    ///
    /// # Errors
    /// Returns an error if a password is wrong or missing, if the file is damaged, or if it uses
    /// something that is not supported or exceeds a limit.
    pub fn read(bytes: &[u8], passwords: &StorePasswords<'_>) -> Result<KeyStore, KeyStoreError> {
        KeyStore::read_within(bytes, passwords, ITERATIONS_TOTAL_MAX)
    }

    /// Reads a store like [`KeyStore::read`], but with another limit of the iterations for all keys
    /// together, by which a caller chooses how long it may take.
    ///
    /// # Errors
    /// Returns the errors of [`KeyStore::read`].
    pub fn read_within(
        bytes: &[u8],
        passwords: &StorePasswords<'_>,
        iterations_max: u64,
    ) -> Result<KeyStore, KeyStoreError> {
        let mut budget = IterationBudget::new(iterations_max);
        if bytes.len() > STORE_BYTES_MAX {
            return Err(KeyStoreError::TooLarge(bytes.len()));
        }
        let store = if bytes.starts_with(JKS_MAGIC) {
            read_jks(bytes, passwords)
        } else if bytes.starts_with(JCEKS_MAGIC) {
            Err(KeyStoreError::Jceks)
        } else if bytes.windows(PEM_BEGIN.len()).any(|part| part == PEM_BEGIN) {
            read_pem(bytes, passwords, &mut budget)
        } else if bytes.starts_with(PKCS12_MAGIC) {
            read_pkcs12(bytes, passwords, &mut budget)
        } else {
            Err(KeyStoreError::UnknownFormat)
        }?;
        match store.entries().is_empty() && store.trusted().is_empty() {
            true => Err(KeyStoreError::Empty),
            false => Ok(store),
        }
    }
}

#[cfg(test)]
mod tests;
