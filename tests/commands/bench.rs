//! Tests of the files that `quorate bench` reads before it sends a request.

use crate::process::{quorate, run};
use std::fs;
use tempfile::TempDir;

/// A file with authorities or with the secret of the engines that cannot be used ends the command.
/// The error names the option and the reason, and shows nothing of the file.
#[test]
fn unusable_files_are_named() {
    let dir = TempDir::new().expect("a temporary directory");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("a temporary directory");
        path
    };
    let missing = dir.path().join("missing");
    for (option, path, why) in [
        ("--ca-file", missing.clone(), "No such file"),
        (
            "--ca-file",
            file("no.pem", "hunter2"),
            "no certificate in PEM",
        ),
        ("--engine-secret-file", missing, "No such file"),
        (
            "--engine-secret-file",
            dir.path().into(),
            "not a regular file",
        ),
        (
            "--engine-secret-file",
            file("empty", "\n"),
            "contains no secret",
        ),
        ("--engine-secret-file", file("short", "\nhunter2"), "line 2"),
    ] {
        let mut command = quorate(&["bench", "renew"], &["https://127.0.0.1:1"]);
        let ended = run(command.arg(option).arg(&path));
        assert_ne!(ended.code, Some(0), "{ended:?}");
        let named = format!("{option}={}", path.display());
        assert!(ended.stderr.contains(&named), "{ended:?}");
        assert!(ended.stderr.contains(why), "{ended:?}");
        assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
    }
}
