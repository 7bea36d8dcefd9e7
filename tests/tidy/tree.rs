//! Finds and reads the files of the repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns every Rust file below a directory of the repository, by its path from the repository's
/// root.
pub fn rust_files(below: &str) -> Vec<PathBuf> {
    files_of(below, &["rs"])
}

/// Returns every file with one of these extensions below a directory of the repository. The paths
/// start at the repository's root.
pub fn files_of(below: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![PathBuf::from(below)];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(root().join(&dir))
            .expect("a directory of the repository")
            .flatten()
        {
            let path = dir.join(entry.file_name());
            if entry.path().is_dir() {
                open.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted))
            {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The folders that contain the product. All other crates only test it.
const PRODUCT: [&str; 4] = ["src", "crates/planted", "crates/registry", "crates/storage"];

/// Returns every Rust file of the product.
pub fn product_files() -> Vec<PathBuf> {
    PRODUCT.into_iter().flat_map(rust_files).collect()
}

/// Returns every Rust file of the product and of its tests.
pub fn all_files() -> Vec<PathBuf> {
    let below = ["src", "crates", "fuzz", "tests"];
    below.into_iter().flat_map(rust_files).collect()
}

/// Returns the top-level module to which a file of src/ belongs, and the depth of the file's own
/// module. The depth of a top-level module is 1.
pub fn module_of(path: &Path) -> (String, usize) {
    let mut parts: Vec<String> = path
        .iter()
        .skip(1)
        .map(|part| part.to_string_lossy().trim_end_matches(".rs").to_owned())
        .collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    (parts[0].clone(), parts.len())
}

/// Returns whether a file contains only tests.
pub fn is_test_file(path: &Path) -> bool {
    let in_directory = path.iter().rev().skip(1).any(|part| part == "tests");
    in_directory || path.ends_with("tests.rs")
}

/// Panics with all complaints, each once, if there are any.
pub fn assert_none(complaints: &[String]) {
    let lines: BTreeSet<&str> = complaints.iter().map(String::as_str).collect();
    let text: Vec<&str> = lines.into_iter().collect();
    assert!(text.is_empty(), "\n{}", text.join("\n"));
}
