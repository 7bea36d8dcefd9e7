//! Checks that every script can be executed and names its interpreter. A script that another script
//! sources is exempt.

use crate::tree::{assert_none, read, root};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Returns every script of the repository, including files that other scripts only source.
pub fn scripts() -> Vec<PathBuf> {
    let mut found = vec![
        PathBuf::from(".ci/run"),
        PathBuf::from("tests/compat/run"),
        PathBuf::from("crates/checker/compare"),
        PathBuf::from("tests/first-run"),
        PathBuf::from("tests/nginx/run"),
        PathBuf::from("tests/openapi/run"),
        PathBuf::from("tests/prometheus/run"),
        PathBuf::from("examples/test"),
    ];
    for folder in ["scripts", "tests/engines", "tests/shell"] {
        for entry in fs::read_dir(root().join(folder))
            .expect("there are scripts")
            .flatten()
        {
            found.push(Path::new(folder).join(entry.file_name()));
        }
    }
    found
}

/// Returns the error of a script with this file mode, if there is one. A script need not be
/// executable if one of the `others`, the texts of the scripts, sources it.
fn complaint(path: &Path, mode: u32, text: &str, others: &[String]) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    let sources_it =
        |line: &str| line.trim_start().starts_with(". ") && line.contains(&format!("/{name}"));
    if mode & 0o111 == 0 {
        let is_sourced = others.iter().any(|other| other.lines().any(sources_it));
        return (!is_sourced)
            .then(|| format!("{}: mode {mode:o}, and no script reads it", path.display()));
    }
    let runs = mode & 0o111 == 0o111 && text.starts_with("#!/");
    (!runs).then(|| {
        format!(
            "{}: mode {mode:o} and no #! line, or not for all",
            path.display()
        )
    })
}

#[test]
fn scripts_can_be_executed_and_say_by_what() {
    let all = scripts();
    let texts: Vec<String> = all.iter().map(|path| read(path)).collect();
    let complaints = all.iter().zip(&texts).filter_map(|(path, text)| {
        let metadata = fs::metadata(root().join(path)).expect("it was just read");
        complaint(path, metadata.permissions().mode(), text, &texts)
    });
    assert_none(&complaints.collect::<Vec<_>>());
}

#[test]
fn a_script_that_cannot_be_executed_is_found() {
    let others = [". \"$repo/scripts/read.sh\"\n".to_owned()];
    let complain = |name: &str, mode: u32, text: &str| {
        complaint(Path::new(name), mode, text, &others).is_some()
    };
    assert!(complain(
        "scripts/check",
        0o100_644,
        "#!/usr/bin/env bash\n"
    ));
    assert!(complain("scripts/check", 0o100_755, "echo\n"));
    assert!(complain(
        "scripts/check",
        0o100_744,
        "#!/usr/bin/env bash\n"
    ));
    assert!(!complain(
        "scripts/check",
        0o100_755,
        "#!/usr/bin/env bash\n"
    ));
    assert!(!complain(
        "scripts/read.sh",
        0o100_644,
        "# To be sourced.\n"
    ));
}
