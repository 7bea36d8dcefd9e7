//! How long files are, what they are called, and what may not be left in them.

use crate::scripts::scripts;
use crate::source::{code_of, has_name, product_lines};
use crate::tree::{all_files, assert_none, read};
use std::path::Path;

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
