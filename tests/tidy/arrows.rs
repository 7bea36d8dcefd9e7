//! Checks the direction of dependencies: which module may use which other module, and which names
//! may be used in which part of the repository.

use crate::source::{code_of, crate_paths, exported_names, has_name, supers, test_part_line};
use crate::tree::{assert_none, is_test_file, module_of, product_files, read, rust_files};
use std::collections::BTreeSet;
use std::path::Path;

/// Returns the modules of the crate that each module may use besides itself.
fn allowed_uses(module: &str) -> &'static [&'static str] {
    match module {
        "locks" | "audit" | "metrics" => &[],
        "clock" => &["locks"],
        "config" => &["model", "security"],
        "raft" => &[
            "storage", "security", "registry", "model", "audit", "clock", "planted", "locks",
        ],
        "http" => &[
            "raft", "security", "registry", "model", "metrics", "audit", "clock", "planted",
            "locks",
        ],
        "telemetry" => &["config", "audit", "clock", "locks"],
        "server" => &[
            "http",
            "raft",
            "storage",
            "security",
            "config",
            "telemetry",
            "model",
            "metrics",
            "audit",
            "clock",
        ],
        other => panic!("src/{other} is new: say here what it may use"),
    }
}

/// Returns the forbidden uses in a source. `facade` contains the names that raft/mod.rs exports,
/// except modules. The module `http` may use only these names of `raft`. For a file of tests,
/// `facade` is `None`. Such a file may use any item of its allowed modules, for example a registry
/// without a Raft group.
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
    for name in ["quorate_registry", "quorate_storage", "quorate_planted"] {
        if has_name(&code, name) {
            complaints.push(format!(
                "{module} names {name}: write crate::, as the arrows are held"
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

/// Returns the modules that a root file declares. The modules that main.rs declares belong to the
/// binary, which may use all modules of the library.
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
    assert_eq!(complain("clock", "use crate::registry::Batch;"), 1);
    assert_eq!(complain("config", "fn f(c: crate::clock::Instant) {}"), 1);
    assert_eq!(
        complain("raft", "use crate::{http::Router, model::{A, B}, server};"),
        2
    );
    assert_eq!(complain("http", "use crate::raft::{Node, disk::Store};"), 1);
    assert_eq!(complain("clock", "use crate::raft::Node;"), 1);
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
    assert_eq!(complain("http", "use quorate_registry::Registry;"), 1);
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

/// Returns the uses of other parts of the registry in a file of the module `model`, which may use
/// no other part.
fn model_complaints(source: &str) -> Vec<String> {
    crate_paths(&code_of(source))
        .into_iter()
        .filter(|path| path[0] != "model")
        .map(|path| format!("model may not use crate::{}", path[0]))
        .collect()
}

#[test]
fn the_model_uses_nothing_of_the_registry() {
    let mut complaints = Vec::new();
    for path in rust_files("crates/registry/src/model") {
        for complaint in model_complaints(&read(&path)) {
            complaints.push(format!("{}: {complaint}", path.display()));
        }
    }
    assert_none(&complaints);
}

#[test]
fn a_use_of_the_registry_in_the_model_is_found() {
    assert_eq!(model_complaints("use crate::Registry;").len(), 1);
    assert_eq!(model_complaints("use crate::model::Lookup;").len(), 0);
}

/// The part of the repository in which each list of names is banned. After a `!` are the only parts
/// that may use the names, separated by `|`.
const BANNED: &[(&str, &[&str])] = &[
    (
        "crates/registry/",
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
        "!src/raft/|crates/storage/",
        &[
            "openraft",
            "openraft_macros",
            "openraft_rt",
            "openraft_rt_tokio",
        ],
    ),
    ("!src/clock/system.rs", &["Instant::now", "SystemTime::now"]),
    // These parts have error types of their own. Only the outermost layer uses anyhow, to report
    // errors with all their causes.
    ("crates/registry/", &["anyhow"]),
    ("crates/storage/", &["anyhow"]),
    ("src/raft/", &["anyhow"]),
    ("src/http/", &["anyhow"]),
];

/// Returns the banned names that a file uses.
fn banned_names(path: &str, source: &str) -> Vec<String> {
    let code = code_of(source);
    let mut complaints = Vec::new();
    for (part, names) in BANNED {
        let applies = match part.strip_prefix('!') {
            Some(only_here) => !only_here.split('|').any(|part| path.starts_with(part)),
            None => path.starts_with(part),
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
fn the_registry_is_pure_and_only_raft_and_storage_name_openraft_and_only_the_clock_reads_a_clock() {
    let mut complaints = Vec::new();
    for path in product_files() {
        for complaint in banned_names(&path.to_string_lossy(), &read(&path)) {
            complaints.push(format!("{}: {complaint}", path.display()));
        }
    }
    assert_none(&complaints);
}

#[test]
fn a_banned_name_is_found() {
    assert_eq!(
        banned_names(
            "crates/registry/src/lib.rs",
            "use std::collections::HashMap;"
        )
        .len(),
        1
    );
    assert_eq!(
        banned_names("crates/registry/src/lib.rs", "use std::time::Duration;").len(),
        1
    );
    assert_eq!(
        banned_names("src/http/mod.rs", "fn f(e: openraft::Entry) {}").len(),
        1
    );
    assert_eq!(
        banned_names("src/raft/mod.rs", "let t = Instant::now();").len(),
        1
    );
    for part in ["src/raft/mod.rs", "crates/storage/src/lib.rs"] {
        let source = "use openraft::Raft; // Instant::now";
        assert_eq!(banned_names(part, source).len(), 0);
    }
    assert_eq!(
        banned_names("src/clock/system.rs", "Instant::now()").len(),
        0
    );
    assert_eq!(
        banned_names("src/http/mod.rs", "use anyhow::Context;").len(),
        1
    );
    assert_eq!(
        banned_names("src/server/mod.rs", "use anyhow::Context;").len(),
        0
    );
    assert_eq!(
        banned_names(
            "crates/registry/src/lib.rs",
            "/// No tokio here.\nstruct HashMapLike;"
        )
        .len(),
        0
    );
}
