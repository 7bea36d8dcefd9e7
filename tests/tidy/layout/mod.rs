//! Checks the layout of files: no import cycles, no imports from a parent module, small files,
//! small folders, narrow lines, one module style.

mod imports;
mod width;

use crate::tree::{all_files, assert_none, is_test_file, product_files, read, rust_files};
use imports::{Imports, Modules, is_root};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Maximum number of source files in a folder.
const FOLDER_MAX: usize = 14;

/// Maximum number of lines of a file of the product, including its own tests.
const LINES_MAX: usize = 400;

/// The crates to check. Each crate has pairs of a folder of source files and the module to which
/// the folder belongs.
const CRATES: &[&[(&str, &str)]] = &[
    &[("src", "")],
    &[("crates/checker/src", "")],
    &[("crates/compare/src", "")],
    &[("crates/registry/src", "")],
    &[("crates/sim/src", "")],
    &[("crates/storage/src", "")],
    &[("fuzz/src", "")],
    &[("tests/cluster", ""), ("tests/support", "support")],
    &[("tests/commands", "")],
    &[("tests/config", "")],
    &[("tests/launcher", "")],
    &[("tests/tidy", "")],
];

fn imports_of(mounts: &[(&str, &str)]) -> Imports {
    let is_product = mounts
        .iter()
        .any(|(folder, _)| !folder.starts_with("tests"));
    let mut files = Vec::new();
    for (folder, module) in mounts {
        for file in rust_files(folder) {
            if is_product && is_test_file(&file) {
                continue;
            }
            let below = file.strip_prefix(folder).expect("it was found there");
            let at = Path::new(module).join(below);
            let source = read(&file);
            files.push((file, at, source));
        }
    }
    let files = files.iter();
    Modules::of(files.map(|(file, at, source)| (file.as_path(), at.as_path(), source.as_str())))
        .imports()
}

/// Returns the groups of files whose imports form a cycle.
fn circles(imports: &Imports) -> Vec<String> {
    let reachable = |from: &Path| {
        let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
        let mut open = vec![from.to_owned()];
        while let Some(file) = open.pop() {
            let next = imports.get(&file).into_iter().flat_map(BTreeMap::keys);
            open.extend(next.filter(|file| seen.insert((*file).clone())).cloned());
        }
        seen
    };
    let reach: BTreeMap<&PathBuf, BTreeSet<PathBuf>> =
        imports.keys().map(|file| (file, reachable(file))).collect();
    let mut found = BTreeSet::new();
    for (file, others) in reach
        .iter()
        .filter(|(file, others)| others.contains(**file))
    {
        let back = |other: &&PathBuf| reach.get(*other).is_some_and(|from| from.contains(*file));
        let group: Vec<String> = others
            .iter()
            .filter(back)
            .map(|file| file.display().to_string())
            .collect();
        found.insert(format!("a circle: {}", group.join(", ")));
    }
    found.into_iter().collect()
}

/// Returns the files that take an item from the root of a folder in which they lie. Such an import
/// would point upwards.
fn arrows_up(imports: &Imports) -> Vec<String> {
    let mut found = Vec::new();
    for (file, targets) in imports {
        for (target, items) in targets {
            let folder = match is_root(target) {
                true => target.parent().unwrap_or(target).to_owned(),
                false => target.with_extension(""),
            };
            if file.starts_with(&folder) {
                let items: Vec<&str> = items.iter().map(String::as_str).collect();
                let (file, target) = (file.display(), target.display());
                found.push(format!("{file} takes {} from {target}", items.join(", ")));
            }
        }
    }
    found
}

#[test]
fn no_files_import_each_other_in_a_circle_or_from_above() {
    let mut complaints = Vec::new();
    for mounts in CRATES {
        let imports = imports_of(mounts);
        assert!(!imports.is_empty(), "{mounts:?} has imports");
        complaints.extend(circles(&imports));
        complaints.extend(arrows_up(&imports));
    }
    assert_none(&complaints);
}

/// Returns the imports between files that are given by path and source.
fn sample(files: &[(&str, &str)]) -> Imports {
    let files = files.iter();
    Modules::of(files.map(|(file, source)| {
        let file = Path::new(file);
        (file, file, *source)
    }))
    .imports()
}

#[test]
fn a_circle_is_found() {
    let straight = [
        ("a/mod.rs", "mod b;\nmod c;\npub use b::B;\n"),
        ("a/b.rs", "use super::c::C;\npub struct B(C);\n"),
        ("a/c.rs", "pub struct C;\n"),
        ("d.rs", "use crate::a::B;\n"),
    ];
    assert_eq!(circles(&sample(&straight)), [""; 0]);
    assert_eq!(arrows_up(&sample(&straight)), [""; 0]);
    let through_a_reexport = [
        straight[0],
        straight[1],
        (
            "a/c.rs",
            "use crate::{a::B as Other};\npub struct C(Other);\n",
        ),
    ];
    let found = circles(&sample(&through_a_reexport));
    assert_eq!(found, ["a circle: a/b.rs, a/c.rs"]);
    let by_a_path = [
        straight[0],
        straight[1],
        (
            "a/c.rs",
            "use super::b;\npub fn c() {\n    b::B::new();\n}\npub struct C;\n",
        ),
    ];
    assert_eq!(circles(&sample(&by_a_path)).len(), 1);
    let in_tests = [
        straight[0],
        straight[1],
        (
            "a/c.rs",
            "pub struct C;\n\n#[cfg(test)]\nmod tests {\n    use super::super::B;\n}\n",
        ),
    ];
    assert_eq!(circles(&sample(&in_tests)), [""; 0]);
}

#[test]
fn an_arrow_up_is_found() {
    let from_the_root = [
        ("a/mod.rs", "mod b;\npub struct A;\n"),
        ("a/b.rs", "use super::A;\n"),
    ];
    let found = arrows_up(&sample(&from_the_root));
    assert_eq!(found, ["a/b.rs takes A from a/mod.rs"]);
    let from_the_crate = [
        ("lib.rs", "mod b;\npub const fn f() {}\n"),
        ("b.rs", "pub async fn g() {\n    crate::f();\n}\n"),
    ];
    assert_eq!(arrows_up(&sample(&from_the_crate)).len(), 1);
}

/// Returns the folders that contain more than [`FOLDER_MAX`] of these files.
fn crowded(files: &[PathBuf]) -> Vec<String> {
    let mut counts: BTreeMap<&Path, usize> = BTreeMap::new();
    for file in files {
        *counts.entry(file.parent().unwrap_or(file)).or_default() += 1;
    }
    counts.retain(|_, count| *count > FOLDER_MAX);
    let complaint = |(folder, count): (&Path, usize)| {
        format!("{}: {count} files, at most {FOLDER_MAX}", folder.display())
    };
    counts.into_iter().map(complaint).collect()
}

#[test]
fn folders_stay_small() {
    assert_none(&crowded(&all_files()));
}

#[test]
fn a_crowded_folder_is_found() {
    let files = |count: usize| -> Vec<PathBuf> {
        (0..count)
            .map(|nth| format!("src/a/{nth}.rs").into())
            .collect()
    };
    assert_eq!(crowded(&files(FOLDER_MAX)), [""; 0]);
    assert_eq!(crowded(&files(FOLDER_MAX + 1)).len(), 1);
}

fn long_file(file: &Path, source: &str) -> Option<String> {
    let lines = source.lines().count();
    (lines > LINES_MAX).then(|| format!("{}: {lines} lines, at most {LINES_MAX}", file.display()))
}

#[test]
fn files_of_the_product_stay_short() {
    let product = product_files().into_iter();
    let product = product.filter(|file| !is_test_file(file));
    let long = product.filter_map(|file| long_file(&file, &read(&file)));
    assert_none(&long.collect::<Vec<_>>());
}

#[test]
fn a_long_file_of_the_product_is_found() {
    let file = Path::new("src/a.rs");
    assert_eq!(long_file(file, &"fn f() {}\n".repeat(LINES_MAX)), None);
    assert!(long_file(file, &"fn f() {}\n".repeat(LINES_MAX + 1)).is_some());
}

/// Returns the files beside a folder of the same name. The code of such a file belongs in the
/// `mod.rs` of the folder.
fn beside_their_folders(files: &[PathBuf]) -> Vec<String> {
    let beside = files.iter().filter(|file| {
        let folder = file.with_extension("");
        files.iter().any(|other| other.parent() == Some(&folder))
    });
    beside.map(|file| file.display().to_string()).collect()
}

#[test]
fn modules_with_children_are_mod_rs() {
    assert_none(&beside_their_folders(&all_files()));
}

#[test]
fn a_module_beside_its_folder_is_found() {
    let files = ["src/a.rs", "src/a/b.rs", "src/c/mod.rs", "src/c/d.rs"].map(PathBuf::from);
    assert_eq!(beside_their_folders(&files), ["src/a.rs"]);
}
