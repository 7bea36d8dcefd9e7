//! Checks that scripts/planted plants every error that crates/planted/src/lib.rs declares.

use crate::tree::read;
use std::collections::BTreeSet;
use std::path::Path;

/// Returns the names of the errors: the variants of the enum `Bug`.
fn declared(source: &str) -> BTreeSet<String> {
    let body = source
        .split_once("enum Bug {")
        .and_then(|(_, rest)| rest.split_once('}'))
        .map_or("", |(body, _)| body);
    let lines = body.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect()
}

/// Returns the names of the errors that the script plants: the first fields of its table.
fn planted(script: &str) -> BTreeSet<String> {
    let rows = script.lines().filter_map(|line| {
        let row = line.trim().strip_prefix('"')?;
        let (name, _) = row.split_once('|')?;
        Some(name.trim().to_owned())
    });
    rows.collect()
}

#[test]
fn every_error_that_can_be_planted_is_looked_for() {
    let declared = declared(&read(Path::new("crates/planted/src/lib.rs")));
    assert_eq!(declared.len(), 32, "{declared:?}");
    assert_eq!(declared, planted(&read(Path::new("scripts/planted"))));
}

#[test]
fn one_that_is_not_looked_for_is_found() {
    let source = "enum Bug {\n    /// A.\n    One,\n    Two,\n}\n";
    let script = "errors=(\n  \"One | 60 | --lib a | words\"\n)\n";
    assert_eq!(declared(source).len(), 2);
    assert_eq!(planted(script), BTreeSet::from(["One".to_owned()]));
}
