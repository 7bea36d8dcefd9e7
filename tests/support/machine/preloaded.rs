//! Builds small libraries that replace functions of the C library in a node. The node loads them
//! before the C library.
//!
//! The libraries are built by `cc`, which the build of the product needs too.

use crate::support::node::Node;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Builds a library from its source in tests/support/machine. The node loads the library from its
/// next start on.
///
/// # Panics
/// When the library cannot be built.
pub fn preload(node: &mut Node, source: &str) {
    let dir = node.etc.dir.join("preloaded");
    fs::create_dir_all(&dir).expect("a temporary directory");
    let library = dir.join(source).with_extension("so");
    build(source, &library);
    let libraries = node
        .environment
        .iter_mut()
        .find(|(name, _)| *name == "LD_PRELOAD");
    match libraries {
        Some((_, libraries)) => {
            libraries.push(":");
            libraries.push(library);
        }
        None => node
            .environment
            .push(("LD_PRELOAD", OsString::from(library))),
    }
}

/// Builds a library from its source in tests/support/machine.
///
/// # Panics
/// When the library cannot be built.
pub fn build(source: &str, library: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/support/machine")
        .join(source);
    let output = Command::new("cc")
        .args(["-O1", "-shared", "-fPIC", "-o"])
        .arg(library)
        .arg(&source)
        .output()
        .expect("cc is there: the product is built with it");
    assert!(
        output.status.success(),
        "{} is not built: {}",
        source.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}
