//! The scripts.

use crate::tree::{assert_none, read, root};
use std::fs;
use std::path::{Path, PathBuf};

pub fn executables() -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from(".ci/run"), PathBuf::from("tests/compat/run")];
    for entry in fs::read_dir(root().join("scripts"))
        .expect("there are scripts")
        .flatten()
    {
        found.push(Path::new("scripts").join(entry.file_name()));
    }
    found
}

#[test]
fn scripts_can_be_executed_and_say_by_what() {
    use std::os::unix::fs::PermissionsExt;
    let mut complaints = Vec::new();
    for path in executables() {
        let mode = fs::metadata(root().join(&path)).map(|metadata| metadata.permissions().mode());
        match mode {
            Err(error) => complaints.push(format!("{}: {error}", path.display())),
            Ok(mode) if mode & 0o111 != 0o111 => {
                complaints.push(format!("{}: mode {mode:o}", path.display()))
            }
            Ok(_) if !read(&path).starts_with("#!/") => {
                complaints.push(format!("{}: no #! line", path.display()))
            }
            Ok(_) => {}
        }
    }
    assert_none(&complaints);
}
