//! Checks that log lines of consensus and storage name their target. Operators filter logs by
//! target, so the target must not depend on file names.

use crate::source::code_of;
use crate::tree::{assert_none, is_test_file, read, rust_files};

const LEVELS: &[&str] = &["trace!", "debug!", "info!", "warn!", "error!"];

/// Returns the numbers of the lines on which a log macro is called without a target.
fn without_target(source: &str) -> Vec<usize> {
    let code = code_of(source);
    let mut lines = Vec::new();
    for (at, _) in code.match_indices("tracing::") {
        let event = &code[at + "tracing::".len()..];
        let level = LEVELS.iter().find(|level| event.starts_with(**level));
        let Some(arguments) = level.and_then(|level| event[level.len()..].strip_prefix('(')) else {
            continue;
        };
        if !arguments.trim_start().starts_with("target:") {
            lines.push(code[..at].lines().count().max(1));
        }
    }
    lines
}

#[test]
fn log_lines_of_consensus_and_storage_name_their_target() {
    let mut complaints = Vec::new();
    let files = rust_files("src/raft")
        .into_iter()
        .chain(rust_files("crates/storage/src"));
    for path in files.filter(|path| !is_test_file(path)) {
        for line in without_target(&read(&path)) {
            complaints.push(format!(
                "{}:{line}: a log line without a target",
                path.display()
            ));
        }
    }
    assert_none(&complaints);
}

#[test]
fn a_log_line_without_a_target_is_found() {
    let source = "fn f() {\n    tracing::info!(\n        node, \"up\"\n    );\n}\n";
    assert_eq!(without_target(source), [2]);
    let named = "tracing::warn!(\n    target: log_target::GROUP,\n    \"down\"\n);";
    assert!(without_target(named).is_empty());
    assert!(without_target("// tracing::info!(\"up\")").is_empty());
}
