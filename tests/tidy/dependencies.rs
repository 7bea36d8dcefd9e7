//! Checks that the licences of all dependencies are allowed by deny.toml, and that all dependencies
//! come from crates.io. `cargo deny` checks this too, but is not installed everywhere.

use crate::tree::{assert_none, read, root};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Returns the licences that deny.toml allows.
fn allowed(deny: &str) -> Vec<String> {
    let list = deny.split_once("\nallow = [").map_or("", |(_, rest)| rest);
    let list = list.split(']').next().unwrap_or_default();
    list.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Returns whether allowed licences satisfy an SPDX expression of names, AND, OR and parentheses.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    any_of(&mut words, allowed)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words, allowed: &[String]) -> bool {
    let mut met = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= all_of(words, allowed);
    }
    met
}

fn all_of(words: &mut Words, allowed: &[String]) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words, allowed: &[String]) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let met = any_of(words, allowed);
        words.next();
        return met;
    }
    let mut name = words.next().unwrap_or_default().to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        name = format!("{name} WITH {}", words.next().unwrap_or_default());
    }
    allowed.contains(&name)
}

/// Returns the external packages of `cargo metadata` whose licence is not allowed.
fn unlicensed(metadata: &Value, allowed: &[String]) -> Vec<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter(|package| package["source"].is_string())
        .filter_map(|package| {
            let license = package["license"].as_str().unwrap_or_default();
            (!is_met(license, allowed)).then(|| format!("{}: {license:?}", package["name"]))
        })
        .collect()
}

/// Returns the target triple of this build. Packages of other targets may be missing, because they
/// need not be downloaded.
fn host() -> String {
    let told = Command::new("rustc")
        .arg("-vV")
        .output()
        .expect("rustc is there");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc names its host").to_owned()
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let told = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            &host(),
        ])
        .current_dir(root())
        .output()
        .expect("cargo is there");
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    let metadata: Value = serde_json::from_slice(&told.stdout).expect("it is JSON");
    let allowed = allowed(&read(Path::new("deny.toml")));
    assert!(
        allowed.contains(&"MIT".to_owned()),
        "licences are found at all: {allowed:?}"
    );
    assert_none(&unlicensed(&metadata, &allowed));
}

#[test]
fn a_licence_that_is_not_allowed_is_found() {
    let allowed =
        allowed("[licenses]\nallow = [\n  \"MIT\",\n  \"ISC\",\n]\nother = [\"GPL-3.0\"]\n");
    assert_eq!(allowed, ["MIT", "ISC"]);
    for met in [
        "MIT",
        "GPL-3.0 OR MIT",
        "MIT/Apache-2.0",
        "(GPL-3.0 OR ISC) AND MIT",
    ] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for not in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT OR ISC) AND GPL-3.0",
        "MIT WITH x",
    ] {
        assert!(!is_met(not, &allowed), "{not}");
    }
    let metadata = serde_json::json!({"packages": [
        {"name": "own", "source": null, "license": null},
        {"name": "other", "source": "registry", "license": "GPL-3.0"},
    ]});
    assert_eq!(unlicensed(&metadata, &allowed).len(), 1);
}

/// Returns the sources of a lock file that are not crates.io.
fn foreign(lock: &str) -> Vec<String> {
    let sources = lock
        .lines()
        .filter_map(|line| line.strip_prefix("source = "));
    sources
        .filter(|source| !source.contains("registry+https://github.com/rust-lang/crates.io-index"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_dependency_comes_from_crates_io() {
    assert_none(&foreign(&read(Path::new("Cargo.lock"))));
}

#[test]
fn a_dependency_from_elsewhere_is_found() {
    assert_eq!(foreign("source = \"git+https://example.org/x\"\n").len(), 1);
}
