//! The choice of cipher suites by patterns, as in airlift's configuration.

use super::error::{EXCLUDED, HttpsError, INCLUDED};
use regex::bytes::{Regex, RegexBuilder};
use rustls::SupportedCipherSuite;
use rustls::crypto::ring::ALL_CIPHER_SUITES;

/// The cipher suites that airlift excludes if nothing else is configured. rustls has none of them.
pub const EXCLUDED_CIPHERS_DEFAULT: &str =
    "^.*_(MD5|SHA|SHA1)$,^TLS_RSA_.*$,^SSL_.*$,^.*_NULL_.*$,^.*_anon_.*$";

/// Maximum size of a compiled pattern in bytes. A small pattern can stand for a large one.
const PATTERN_BYTES_MAX: usize = 64 << 10;

/// Returns the cipher suites whose name matches one of the included patterns, or all if there are
/// none, and no excluded one. Patterns are separated by commas, and each must match a whole name of
/// Java (JSSE).
pub(super) fn cipher_suites(
    included: &str,
    excluded: &str,
) -> Result<Vec<SupportedCipherSuite>, HttpsError> {
    let included = patterns(included, INCLUDED)?;
    let excluded = patterns(excluded, EXCLUDED)?;
    let mut suites = ALL_CIPHER_SUITES.to_vec();
    if !included.is_empty() {
        suites.retain(|suite| is_matched(suite, &included));
    }
    let setting = if suites.is_empty() {
        INCLUDED
    } else {
        EXCLUDED
    };
    suites.retain(|suite| !is_matched(suite, &excluded));
    if suites.is_empty() {
        let names = ALL_CIPHER_SUITES.iter().map(java_name);
        return Err(HttpsError::NoCipher {
            setting,
            names: names.collect::<Vec<_>>().join(", "),
        });
    }
    Ok(suites)
}

fn is_matched(suite: &SupportedCipherSuite, patterns: &[Regex]) -> bool {
    let name = java_name(suite);
    let mut patterns = patterns.iter();
    patterns.any(|pattern| pattern.is_match(name.as_bytes()))
}

/// Returns the name that Java has for a cipher suite. rustls has another prefix for those of TLS
/// 1.3.
fn java_name(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite()).replace("TLS13_", "TLS_")
}

fn patterns(list: &str, setting: &'static str) -> Result<Vec<Regex>, HttpsError> {
    let patterns = list.split(',').map(str::trim);
    let patterns = patterns.filter(|pattern| !pattern.is_empty());
    patterns.map(|pattern| compiled(pattern, setting)).collect()
}

/// Compiles a pattern that must match a whole name. Java has look-ahead and references to groups,
/// which the crate does not have because they can take exponential time.
fn compiled(pattern: &str, setting: &'static str) -> Result<Regex, HttpsError> {
    let compile = |pattern: &str| {
        RegexBuilder::new(pattern)
            .unicode(false)
            .size_limit(PATTERN_BYTES_MAX)
            .build()
    };
    // The pattern is compiled by itself too, so that no parenthesis in it can end the group.
    let whole = compile(pattern).and_then(|_| compile(&format!("^(?:{pattern})$")));
    whole.map_err(|error| HttpsError::CipherPattern {
        setting,
        pattern: pattern.to_owned(),
        reason: one_line(&error),
    })
}

/// Returns the last line of an error, which has the reason. The lines before it show the pattern.
fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
