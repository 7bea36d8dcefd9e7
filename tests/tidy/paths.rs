//! Checks that documents name only existing paths, that their links lead to existing files and
//! headings, and that sources name only existing decision records.

use crate::tree::{assert_none, read, root, rust_files};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders of the repository. A word that begins with one of them, in backticks or in a block
/// of code, is a path.
const FOLDERS: &[&str] = &[
    ".ci", ".github", "benches", "crates", "docs", "etc", "examples", "fuzz", "scripts", "src",
    "tests", "vendor",
];

/// Paths that do not exist in the repository, because they are created at run time and ignored by
/// git.
const MADE: &[&str] = &["fuzz/found"];

/// Returns every document except the CHANGELOG, which names paths of earlier releases.
pub fn documents() -> Vec<PathBuf> {
    let mut found = vec![
        PathBuf::from("README.md"),
        PathBuf::from("CONTRIBUTING.md"),
        PathBuf::from("examples/README.md"),
    ];
    let mut open = vec![PathBuf::from("docs")];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(root().join(&dir)).expect("a directory of the repository") {
            let path = dir.join(entry.expect("an entry can be read").file_name());
            if root().join(&path).is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// Returns the lines of a text, each with whether it is in a block of code.
fn lines_of(text: &str) -> impl Iterator<Item = (&str, bool)> {
    text.lines().scan(false, |in_code, line| {
        let is_fence = line.trim_start().starts_with("```");
        *in_code ^= is_fence;
        Some((line, *in_code && !is_fence))
    })
}

/// Returns the paths of the repository that a text names. If a path contains a `*`, only the folder
/// before the `*` is returned.
fn named_paths(text: &str) -> BTreeSet<String> {
    let words = lines_of(text).flat_map(|(line, in_code)| {
        let spans: Vec<&str> = match in_code {
            true => vec![line],
            false => line.split('`').skip(1).step_by(2).collect(),
        };
        spans
            .into_iter()
            .flat_map(str::split_whitespace)
            .map(|word| word.trim_matches(['"', '\'', ',', ';', ':', '(', ')']))
    });
    words
        .filter(|word| is_path(word))
        .flat_map(alternatives)
        .collect()
}

fn is_path(word: &str) -> bool {
    let may_be = |c: char| c.is_ascii_alphanumeric() || "._-/{},*".contains(c);
    let first = word.split_once('/').map(|(first, _)| first);
    first.is_some_and(|first| FOLDERS.contains(&first)) && word.chars().all(may_be)
}

/// Expands a pattern of paths: `a/{b,c}.rs` names two files, and `a/b-*.rs` the folder `a`.
fn alternatives(word: &str) -> Vec<String> {
    if let Some((before, rest)) = word.split_once('{')
        && let Some((inside, after)) = rest.split_once('}')
    {
        let each = inside.split(',');
        return each.map(|one| format!("{before}{one}{after}")).collect();
    }
    let fixed = word.split('*').next().unwrap_or_default();
    let path = match fixed.len() < word.len() {
        true => fixed.rsplit_once('/').map_or(fixed, |(folder, _)| folder),
        false => word,
    };
    vec![path.trim_end_matches('/').to_owned()]
}

/// Returns the targets of a text's links, except for those outside the repository.
fn links(text: &str) -> Vec<&str> {
    let outside = lines_of(text).filter(|(_, in_code)| !in_code);
    outside
        .flat_map(|(line, _)| line.split("](").skip(1))
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://"))
        .collect()
}

/// Returns the anchors of a text's headings, as GitHub generates them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = lines_of(text)
        .filter(|(line, in_code)| !in_code && line.starts_with('#'))
        .map(|(line, _)| line.trim_start_matches('#').trim().to_lowercase());
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    headings
        .map(|heading| heading.chars().filter(kept).collect::<String>())
        .map(|heading| heading.replace(' ', "-"))
        .collect()
}

/// Returns the errors of a document. `read` returns the text of a file, an empty text for a folder,
/// and `None` for a path that does not exist.
fn complaints(path: &Path, text: &str, read: impl Fn(&Path) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for named in named_paths(text) {
        if !MADE.contains(&named.as_str()) && read(Path::new(&named)).is_none() {
            found.push(format!("{}: there is no {named}", path.display()));
        }
    }
    for link in links(text) {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target = match file {
            "" => Some(text.to_owned()),
            file => read(&beside(path, file)),
        };
        let leads = target.is_some_and(|text| anchor.is_empty() || anchors(&text).contains(anchor));
        if !leads {
            found.push(format!("{}: the link {link} leads nowhere", path.display()));
        }
    }
    found
}

/// Returns the path to which a relative link leads: `../b/c.md` in `a/d.md` is `b/c.md`.
fn beside(path: &Path, file: &str) -> PathBuf {
    let mut target = path.parent().map(Path::to_path_buf).unwrap_or_default();
    for part in file.trim_end_matches('/').split('/') {
        match part {
            ".." => drop(target.pop()),
            part => target.push(part),
        }
    }
    target
}

/// Returns the text of a file of the repository, an empty text for a folder, or `None` if there is
/// neither.
fn text_of(path: &Path) -> Option<String> {
    let path = root().join(path);
    match path.is_dir() {
        true => Some(String::new()),
        false => fs::read(path)
            .ok()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    }
}

#[test]
fn every_path_and_link_of_the_documents_is_there() {
    let all = documents();
    let found = all
        .iter()
        .flat_map(|path| complaints(path, &read(path), text_of));
    assert_none(&found.collect::<Vec<_>>());
}

#[test]
fn a_path_or_link_that_leads_nowhere_is_found() {
    let read = |path: &Path| match path.to_str() {
        Some("src/a.rs" | "src/b" | "etc") => Some(String::new()),
        Some("docs/A.md") => Some("# One two?\n".to_owned()),
        _ => None,
    };
    let complain = |text: &str| complaints(Path::new("docs/B.md"), text, read).len();
    assert_eq!(
        complain("`src/a.rs`, `src/b/`, `src/b/*.rs`, src/not.rs, `/etc/x`"),
        0
    );
    assert_eq!(complain("`src/{a,c}.rs`"), 1);
    assert_eq!(complain("`run src/c.rs`\n```\nrun src/d.rs\n```\n"), 2);
    assert_eq!(
        complain("[a](A.md#one-two) [b](../docs/A.md) [c](https://x/#y)"),
        0
    );
    assert_eq!(complain("[a](A.md#two) [b](C.md) [c](#here)"), 3);
}

/// Returns the numbers of the decision records that a source names.
fn decisions(source: &str) -> BTreeSet<&str> {
    let named = source.split("docs/decisions/").skip(1);
    named.filter_map(|rest| rest.get(..4)).collect()
}

#[test]
fn every_decision_that_a_source_names_is_there() {
    let records: Vec<String> = fs::read_dir(root().join("docs/decisions"))
        .expect("there are decisions")
        .map(|entry| {
            entry
                .expect("it can be read")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let folders = ["src", "crates", "benches"];
    let sources = folders
        .into_iter()
        .filter(|folder| root().join(folder).is_dir());
    let mut found = Vec::new();
    for path in sources.flat_map(rust_files) {
        for number in decisions(&read(&path)) {
            if !records.iter().any(|record| record.starts_with(number)) {
                found.push(format!("{}: there is no decision {number}", path.display()));
            }
        }
    }
    assert_none(&found);
}

#[test]
fn a_named_decision_is_found() {
    let source = "//! Why (docs/decisions/0042).\n// docs/decisions/";
    assert_eq!(decisions(source), ["0042"].into());
}
