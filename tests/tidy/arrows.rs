//! Which module may use which, and the names that a part may not know.

use crate::source::{code_of, crate_paths, exported_names, has_name, supers, test_part_line};
use crate::tree::{assert_none, is_test_file, module_of, read, rust_files};
use std::collections::BTreeSet;
use std::path::Path;

/// What each module may use of the crate besides itself.
fn allowed_uses(module: &str) -> &'static [&'static str] {
    match module {
        "model" | "clock" | "planted" => &[],
        "registry" => &["model", "planted"],
        "config" => &["model"],
        "raft" => &["registry", "model", "clock", "planted"],
        "http" => &["raft", "registry", "model", "clock"],
        "telemetry" => &["config", "clock"],
        "server" => &["http", "raft", "config", "telemetry", "model", "clock"],
        other => panic!("src/{other} is new: say here what it may use"),
    }
}

/// `facade`: the names that raft/mod.rs shows, modules not counted; none for a file of tests, which
/// may put a bare registry in the group's place.
fn arrow_complaints(
    module: &str,
    depth: usize,
    source: &str,
    facade: Option<&BTreeSet<String>>,
) -> Vec<String> {
    let code = code_of(source);
    let mut complaints = Vec::new();
    for path in crate_paths(&code) {
        let first = path[0].as_str();
        let second = path.get(1).map_or("", String::as_str);
        if first != module && !allowed_uses(module).contains(&first) {
            complaints.push(format!("{module} may not use crate::{first}"));
        }
        let hidden = facade.is_some_and(|facade| !facade.contains(second));
        if module == "http" && first == "raft" && hidden {
            complaints.push(format!(
                "http sees only raft's façade, not crate::raft::{second}"
            ));
        }
        let internal = facade.is_some() && second != "Rendered";
        if module == "http" && first == "registry" && internal {
            complaints.push(format!(
                "http sees only registry::Rendered, not crate::registry::{second}"
            ));
        }
    }
    let test_from = test_part_line(source);
    for (number, line) in code.lines().enumerate() {
        let inline_depth = usize::from(number + 1 >= test_from);
        if supers(line) >= depth + inline_depth {
            complaints.push(format!(
                "line {}: `super` leads out of {module}: write crate::",
                number + 1
            ));
        }
    }
    complaints
}

/// The modules that a root file declares: those of main.rs are the binary's own, and stand last in
/// the chain.
fn own_modules(source: &str) -> BTreeSet<String> {
    let code = code_of(source);
    let declared = code
        .lines()
        .filter_map(|line| line.trim().strip_prefix("mod ")?.strip_suffix(';'));
    declared.map(str::to_owned).collect()
}

#[test]
fn modules_use_only_what_comes_before_them() {
    let exported = exported_names(&read(Path::new("src/raft/mod.rs")));
    let of_the_binary = own_modules(&read(Path::new("src/main.rs")));
    let mut complaints = Vec::new();
    for path in rust_files("src") {
        let (module, depth) = module_of(&path);
        if module == "lib" || module == "main" || of_the_binary.contains(&module) {
            continue;
        }
        let facade = (!is_test_file(&path)).then_some(&exported);
        for complaint in arrow_complaints(&module, depth, &read(&path), facade) {
            complaints.push(format!("{}: {complaint}", path.display()));
        }
    }
    assert_none(&complaints);
}

#[test]
fn a_wrong_arrow_is_found() {
    let exported = exported_names(
        "pub mod disk;\nmod errors;\npub use errors::{Lost, Late as Slow};\npub struct Node {}",
    );
    assert_eq!(exported, ["Lost", "Node", "Slow"].map(String::from).into());
    let complain =
        |module: &str, source: &str| arrow_complaints(module, 1, source, Some(&exported)).len();
    assert_eq!(complain("model", "use crate::registry::Batch;"), 1);
    assert_eq!(complain("registry", "fn f(c: crate::clock::Instant) {}"), 1);
    assert_eq!(
        complain("raft", "use crate::{http::Router, model::{A, B}, server};"),
        2
    );
    assert_eq!(complain("http", "use crate::raft::{Node, disk::Store};"), 1);
    assert_eq!(complain("http", "use crate::raft::*;"), 1);
    assert_eq!(
        complain("http", "use crate::registry::{Rendered, Registry};"),
        1
    );
    assert_eq!(
        arrow_complaints("http", 2, "use crate::registry::Registry;", None).len(),
        0
    );
    assert_eq!(
        arrow_complaints("http", 2, "use crate::server;", None).len(),
        1
    );
    assert_eq!(complain("config", "use super::raft;"), 1);
    assert_eq!(
        complain(
            "http",
            "use crate::raft::{Node, Slow};\n// crate::server\nlet s = \"crate::main\";"
        ),
        0
    );
    assert_eq!(
        complain("http", "#[cfg(test)]\nmod tests {\n    use super::*;\n}"),
        0
    );
    assert_eq!(
        complain(
            "http",
            "#[cfg(test)]\nmod tests {\n    use super::super::raft;\n}"
        ),
        1
    );
}

/// A banned name, and the part of src/ that it is banned in (or, with `!`, the only one it is for).
const BANNED: &[(&str, &[&str])] = &[
    (
        "registry/",
        &[
            "tokio",
            "axum",
            "openraft",
            "tracing",
            "std::time",
            "Instant",
            "SystemTime",
            "HashMap",
            "HashSet",
        ],
    ),
    (
        "!raft/",
        &[
            "openraft",
            "openraft_macros",
            "openraft_rt",
            "openraft_rt_tokio",
        ],
    ),
    ("!clock/system.rs", &["Instant::now", "SystemTime::now"]),
    // Their errors are typed; at the edge they are told with all their causes.
    ("registry/", &["anyhow"]),
    ("raft/", &["anyhow"]),
    ("http/", &["anyhow"]),
];

fn banned_names(path_in_src: &str, source: &str) -> Vec<String> {
    let code = code_of(source);
    let mut complaints = Vec::new();
    for (part, names) in BANNED {
        let applies = match part.strip_prefix('!') {
            Some(only_here) => !path_in_src.starts_with(only_here),
            None => path_in_src.starts_with(part),
        };
        for name in names.iter().filter(|_| applies) {
            if has_name(&code, name) {
                complaints.push(format!("names {name}"));
            }
        }
    }
    complaints
}

#[test]
fn the_registry_is_pure_and_only_raft_names_openraft_and_only_the_clock_reads_a_clock() {
    let mut complaints = Vec::new();
    for path in rust_files("src") {
        let in_src = path
            .strip_prefix("src")
            .expect("it is below src")
            .to_string_lossy()
            .into_owned();
        for complaint in banned_names(&in_src, &read(&path)) {
            complaints.push(format!("{}: {complaint}", path.display()));
        }
    }
    assert_none(&complaints);
}

#[test]
fn a_banned_name_is_found() {
    assert_eq!(
        banned_names("registry/mod.rs", "use std::collections::HashMap;").len(),
        1
    );
    assert_eq!(
        banned_names("registry/mod.rs", "use std::time::Duration;").len(),
        1
    );
    assert_eq!(
        banned_names("http/mod.rs", "fn f(e: openraft::Entry) {}").len(),
        1
    );
    assert_eq!(
        banned_names("raft/mod.rs", "let t = Instant::now();").len(),
        1
    );
    assert_eq!(
        banned_names("raft/mod.rs", "use openraft::Raft; // Instant::now").len(),
        0
    );
    assert_eq!(banned_names("clock/system.rs", "Instant::now()").len(), 0);
    assert_eq!(banned_names("http/mod.rs", "use anyhow::Context;").len(), 1);
    assert_eq!(
        banned_names("server/mod.rs", "use anyhow::Context;").len(),
        0
    );
    assert_eq!(
        banned_names("registry/mod.rs", "/// No tokio here.\nstruct HashMapLike;").len(),
        0
    );
}
