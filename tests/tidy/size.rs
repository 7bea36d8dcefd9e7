//! Checks the length of files, the number of files in folders, and the names of files, and that
//! nothing is left for later.

use crate::scripts::scripts;
use crate::source::{code_of, has_name, product_lines};
use crate::tree::{all_files, assert_none, read, rust_files};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const MAX_LINES: usize = 600;

#[test]
fn files_stay_short() {
    let long = all_files().into_iter().filter_map(|path| {
        let lines = product_lines(&read(&path));
        (lines > MAX_LINES)
            .then(|| format!("{}: {lines} lines, at most {MAX_LINES}", path.display()))
    });
    assert_none(&long.collect::<Vec<_>>());
}

#[test]
fn a_long_file_is_found() {
    assert_eq!(
        product_lines(&"fn f() {}\n".repeat(MAX_LINES + 1)),
        MAX_LINES + 1
    );
    let tested = "fn f() {}\n#[cfg(test)]\nmod tests {\n".to_owned()
        + &"    // a line\n".repeat(MAX_LINES)
        + "}\n";
    assert_eq!(product_lines(&tested), 1);
}

const MAX_FILES: usize = 14;

/// Returns the folders that directly contain more than [`MAX_FILES`] of these files.
fn crowded(files: &[PathBuf]) -> Vec<String> {
    let mut counts: BTreeMap<&Path, usize> = BTreeMap::new();
    for folder in files.iter().filter_map(|path| path.parent()) {
        *counts.entry(folder).or_default() += 1;
    }
    counts
        .into_iter()
        .filter(|(_, count)| *count > MAX_FILES)
        .map(|(folder, count)| format!("{}: {count} files, at most {MAX_FILES}", folder.display()))
        .collect()
}

#[test]
fn folders_of_crates_stay_small() {
    for below in ["crates", "fuzz"] {
        assert_none(&crowded(&rust_files(below)));
    }
}

#[test]
fn a_crowded_folder_is_found() {
    let files = |count: usize| -> Vec<PathBuf> {
        let names = (0..count).map(|number| format!("crates/a/src/f{number}.rs"));
        names.map(PathBuf::from).collect()
    };
    assert_eq!(crowded(&files(MAX_FILES + 1)).len(), 1);
    assert_eq!(crowded(&files(MAX_FILES)).len(), 0);
}

/// Returns the notes and calls in a source that mark unfinished work.
fn leftovers(source: &str) -> Vec<String> {
    let code = code_of(source);
    let notes = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    let calls = ["dbg!", "todo!", "unimplemented!"];
    let in_notes = notes.iter().filter(|note| has_name(source, note));
    let in_code = calls.iter().filter(|call| has_name(&code, call));
    in_notes
        .chain(in_code)
        .map(|what| (*what).to_owned())
        .collect()
}

#[test]
fn nothing_is_left_for_later() {
    let mut complaints = Vec::new();
    for path in all_files().into_iter().chain(scripts()) {
        for what in leftovers(&read(&path)) {
            complaints.push(format!("{}: {what}", path.display()));
        }
    }
    assert_none(&complaints);
}

#[test]
fn a_leftover_is_found() {
    assert_eq!(leftovers(concat!("// TO", "DO: later")).len(), 1);
    assert_eq!(leftovers("let x = dbg!(y); todo!()").len(), 2);
    assert_eq!(
        leftovers("/// todo!() is not used.\nlet s = \"dbg!\"; my_dbg!(x);").len(),
        0
    );
}

/// Returns whether a part of a path says nothing about its contents.
fn has_vague_name(path: &Path) -> bool {
    const VAGUE: &[&str] = &[
        "util",
        "utils",
        "utilities",
        "manager",
        "managers",
        "helper",
        "helpers",
        "common",
        "misc",
    ];
    path.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        VAGUE.contains(&part.strip_suffix(".rs").unwrap_or(&part))
    })
}

#[test]
fn modules_are_named_for_what_they_hold() {
    let vague = all_files().into_iter().filter(|path| has_vague_name(path));
    assert_none(
        &vague
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>(),
    );
}

#[test]
fn a_vague_name_is_found() {
    assert!(has_vague_name(Path::new("src/raft/util.rs")));
    assert!(has_vague_name(Path::new("src/helpers/mod.rs")));
    assert!(!has_vague_name(Path::new("src/raft/commonly.rs")));
}
