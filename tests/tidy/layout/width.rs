//! Checks that source lines are not too wide.

use crate::scripts::scripts;
use crate::tree::{all_files, assert_none, files_of, read};
use std::path::PathBuf;

/// Maximum number of columns of a line. rustfmt keeps it for code, but does not wrap comments,
/// strings, or code whose strings are too long.
const MAX_COLUMNS: usize = 100;

/// Returns a complaint, with the line number, about every line that is too wide. Each character
/// counts as one column, even if it has several bytes.
fn wide_lines(text: &str) -> Vec<String> {
    text.lines()
        .zip(1_usize..)
        .map(|(line, number)| (number, line.chars().count()))
        .filter(|(_, columns)| *columns > MAX_COLUMNS)
        .map(|(number, columns)| format!("{number}: {columns} columns, at most {MAX_COLUMNS}"))
        .collect()
}

/// Returns all sources, which are files that are compiled, interpreted or run by a shell. Documents
/// and test data may have longer lines.
fn sources() -> Vec<PathBuf> {
    let others = ["crates", "examples", "tests"]
        .into_iter()
        .flat_map(|below| files_of(below, &["c", "go", "java", "py"]));
    all_files()
        .into_iter()
        .chain(scripts())
        .chain(others)
        .collect()
}

#[test]
fn lines_fit_on_a_screen() {
    let mut complaints = Vec::new();
    for path in sources() {
        for complaint in wide_lines(&read(&path)) {
            complaints.push(format!("{}:{complaint}", path.display()));
        }
    }
    assert_none(&complaints);
}

#[test]
fn a_wide_line_is_found() {
    let widest = "\u{e9}".repeat(MAX_COLUMNS);
    let text = format!("fn f() {{}}\n{widest}\n{widest};\n");
    assert_eq!(wide_lines(&text), ["3: 101 columns, at most 100"]);
}

/// Sources of every language are found, so that no folder is left out by mistake.
#[test]
fn sources_of_every_language_are_found() {
    let sources = sources();
    for example in [
        "tests/tidy/layout/width.rs",
        "scripts/check",
        "tests/support/machine/resolver.c",
        "crates/checker/porcupine/main.go",
        "examples/java/CoordinatorWatch.java",
        "examples/python/coordinator_watch.py",
    ] {
        assert!(sources.contains(&PathBuf::from(example)), "{example}");
    }
}
