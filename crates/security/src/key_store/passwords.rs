//! The passwords of a store.

use std::fmt;

/// The passwords of a store. The `Debug` output does not show them.
#[derive(Clone, Copy, Default)]
pub struct StorePasswords<'a> {
    /// The password of the store, or of the encrypted private key of a PEM file. Without it, the
    /// integrity of a store is not checked.
    pub store: Option<&'a str>,
    /// The password of the private keys, if it differs from that of the store.
    pub key: Option<&'a str>,
}

impl<'a> StorePasswords<'a> {
    /// Returns the password of the private keys.
    pub(super) fn of_keys(&self) -> Option<&'a str> {
        self.key.or(self.store)
    }
}

impl fmt::Debug for StorePasswords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorePasswords(hidden)")
    }
}
