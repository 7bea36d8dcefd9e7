//! Truncated and changed stores, which must be refused without a panic.

use super::*;
use std::time::{Duration, Instant};

/// Files that must not cause a panic: each store, and PEM files.
fn all_files() -> Vec<(&'static str, Vec<u8>, StorePasswords<'static>)> {
    let mut all: Vec<_> = READABLE
        .iter()
        .map(|(name, passwords, ..)| (*name, file(name), *passwords))
        .collect();
    for names in [
        &["ec.pkcs8.pem", "ec.pem"][..],
        &["ec.sec1.pem", "ec.pem"],
        &["rsa.pkcs1.pem", "rsa.pem"],
        &["ec.encrypted-sha512.pem", "ec.pem"],
        &["rsa.encrypted-pkcs1.pem", "rsa.pem"],
    ] {
        all.push((names[0], files(names), PASSWORD));
    }
    for name in ["endless-mac.p12", "endless-encryption.p12", "keytool.jceks"] {
        all.push((name, file(name), PASSWORD));
    }
    all
}

/// Returns whether a store has many iterations, so that it cannot be read thousands of times. There
/// is a store of the same format with few.
fn is_slow(name: &str) -> bool {
    name.contains("default") || name.contains("million")
}

/// Reads bytes, which must end soon with any result, and returns the error. A busy machine may stop
/// the test for a second, so a slow read is repeated.
#[expect(clippy::disallowed_methods, reason = "the crate has no clock")]
fn read_soon(bytes: &[u8], passwords: &StorePasswords<'_>, name: &str) -> Option<KeyStoreError> {
    const TRIES: usize = 3;
    let soon = Duration::from_secs(if is_slow(name) { 10 } else { 1 });
    for _ in 0..TRIES {
        let begun = Instant::now();
        let read = KeyStore::read(bytes, passwords);
        if begun.elapsed() < soon {
            return read.err();
        }
    }
    panic!("{name} takes more than {soon:?}");
}

/// No truncated store is read, and none causes a panic.
#[test]
fn truncated_stores_are_refused() {
    for (name, bytes, passwords) in all_files() {
        let is_readable = KeyStore::read(&bytes, &passwords).is_ok();
        for length in 0..bytes.len() {
            let error = read_soon(&bytes[..length], &passwords, name);
            // A PEM file without the end of its last line is complete.
            let is_complete = is_readable && name.ends_with(".pem") && length == bytes.len() - 1;
            assert_eq!(error.is_none(), is_complete, "{name} {length}");
        }
    }
}

/// A store with a changed byte never causes a panic. The password of the store is said to be wrong
/// only if the change lies where the password is checked, as long as it decrypts something.
#[test]
fn changed_stores_do_no_harm() {
    let mut state = 1_u64;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    for (name, bytes, passwords) in all_files() {
        let changes = if is_slow(name) { 10 } else { 2_000 };
        let mut wrong = 0;
        for _ in 0..changes {
            let mut changed = bytes.clone();
            changed[random(bytes.len())] ^= 1 << random(8);
            let error = read_soon(&changed, &passwords, name);
            wrong += usize::from(error == Some(KeyStoreError::WrongPassword));
        }
        let has_key = READABLE
            .iter()
            .any(|(other, _, keys, _)| *other == name && !keys.is_empty());
        println!("{name}: {wrong} of {changes} look like a wrong password");
        if has_key && passwords.key.is_none() {
            assert!(wrong * 10 <= changes, "{name}: {wrong}");
        }
    }
}
