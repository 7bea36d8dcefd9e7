//! Checks that no two types of the product and its tools have the same name. The types of the tests
//! are checked separately.

use crate::tree::{assert_none, read, rust_files};
use std::collections::BTreeMap;

/// Returns the names of the types that a source defines.
fn types(source: &str) -> Vec<&str> {
    source
        .lines()
        .filter_map(|line| {
            let item = line.trim_start();
            let item = match item.strip_prefix("pub") {
                Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
                Some(rest) => rest.trim_start(),
                None => item,
            };
            let name = ["struct ", "enum ", "trait ", "union "]
                .iter()
                .find_map(|keyword| item.strip_prefix(keyword))?;
            name.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
        })
        .collect()
}

/// Returns the names that more than one type in the files below `roots` has.
fn names_with_two_meanings(roots: &[&str]) -> Vec<String> {
    let mut defined: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in roots.iter().flat_map(|root| rust_files(root)) {
        for name in types(&read(&path)) {
            let files = defined.entry(name.to_owned()).or_default();
            files.push(path.display().to_string());
        }
    }
    defined
        .into_iter()
        .filter(|(_, files)| files.len() > 1)
        .map(|(name, files)| format!("{name}: {}", files.join(", ")))
        .collect()
}

#[test]
fn a_name_of_a_type_has_one_meaning() {
    assert_none(&names_with_two_meanings(&["src", "crates", "fuzz"]));
}

/// No two types of the tests have the same name. A type of the tests may have the name of a type of
/// the product. For example, a `Node` of the tests is a running node.
#[test]
fn a_name_of_a_type_has_one_meaning_in_tests() {
    assert_none(&names_with_two_meanings(&["tests"]));
}

#[test]
fn a_type_is_found() {
    let source = "pub(super) struct Held<'a> {\n    enum Inner {\n\
                  fn f(x: struct No)\nenum Answer {}\npub trait Sized2: Send {\n\
                  // struct Comment\npub(in crate::http) union U {";
    assert_eq!(types(source), ["Held", "Inner", "Answer", "Sized2", "U"]);
}
