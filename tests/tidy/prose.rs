//! Checks that comments are sentences and use terms that can be looked up.

use crate::paths::documents;
use crate::scripts::scripts;
use crate::tree::{assert_none, read, rust_files};
use std::path::PathBuf;

/// First words that turn a comment into a clause: "What the node holds" instead of "The
/// announcement of the node".
const OPENERS: &[&str] = &[
    "What", "Who", "Whoever", "Where", "How", "Those", "Of", "As", "None",
];

/// Maximum share of comments, in thousandths, that may begin with one of [`OPENERS`]. The share is
/// not zero, because one of these words is sometimes the plainest beginning.
const MAX_OPENERS: usize = 14;

/// Phrases that cannot be looked up, although there is a common term for each.
const DIALECT: &[&str] = &[
    "all the same",
    "are told",
    "as many as may",
    "as may",
    "be told",
    "by who",
    "for ever",
    "for so long",
    "for who",
    "is none",
    "is told",
    "none is",
    "of who",
    "so many",
    "so much",
    "so often",
    "to who",
    "was told",
    "what came",
    "what comes",
    "what has come",
    "what it came to",
    "who asked",
    "who asks",
    "who came",
    "who comes",
    "who waits",
    "whoever",
    "whomever",
];

/// Maximum share of comments, in thousandths, that may contain one of [`DIALECT`].
const MAX_DIALECT: usize = 4;

/// Returns the text of each comment. Consecutive lines with the same mark are one comment, and the
/// marks are removed.
fn comments(text: &str, marks: &[&str]) -> Vec<String> {
    let mut comments = Vec::new();
    let mut open: Option<(&str, String)> = None;
    let mut in_code = false;
    for line in text.lines().map(str::trim) {
        let marked = marks
            .iter()
            .find_map(|mark| Some((*mark, line.strip_prefix(mark)?.trim())));
        let (mark, words) = match marked {
            Some((_, words)) if words.starts_with("```") => {
                in_code = !in_code;
                ("", "")
            }
            Some(_) if in_code => ("", ""),
            Some((mark, words)) if !words.starts_with(['|', '!', '[']) => (mark, words),
            _ => ("", ""),
        };
        match &mut open {
            Some((kind, comment)) if *kind == mark && !words.is_empty() => {
                comment.push(' ');
                comment.push_str(words);
            }
            _ => {
                comments.extend(open.take().map(|(_, comment)| comment));
                open = (!words.is_empty()).then(|| (mark, words.to_owned()));
            }
        }
    }
    comments.extend(open.map(|(_, comment)| comment));
    comments
}

/// Returns whether a comment begins with one of [`OPENERS`].
fn opens_as_a_clause(comment: &str) -> bool {
    let first = comment.split(|c: char| !c.is_alphanumeric()).next();
    first.is_some_and(|first| OPENERS.contains(&first))
}

/// Returns the first phrase of [`DIALECT`] that a comment contains outside of code.
fn dialect(comment: &str) -> Option<&'static str> {
    let prose: String = comment.split('`').step_by(2).collect();
    let words: Vec<String> = prose
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let prose = format!(" {} ", words.join(" "));
    DIALECT
        .iter()
        .find(|phrase| prose.contains(&format!(" {phrase} ")))
        .copied()
}

/// Returns the paragraphs, list items and cells of tables of a document, without its headings and
/// blocks of code.
fn paragraphs(document: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    let mut in_code = false;
    for line in document.lines().map(str::trim) {
        if line.starts_with("```") {
            in_code = !in_code;
        }
        let item = line.trim_start_matches(|c: char| c.is_ascii_digit() || "-*.".contains(c));
        let is_item = item.len() < line.len() && item.starts_with(' ');
        if in_code || line.is_empty() || line.starts_with("```") || line.starts_with('#') {
            paragraphs.push(String::new());
        } else if let Some(cells) = line.strip_prefix('|') {
            paragraphs.extend(cells.split(" | ").map(|cell| cell.trim().to_owned()));
        } else if is_item {
            paragraphs.push(item.trim().to_owned());
        } else if let Some(open) = paragraphs.last_mut() {
            *open = format!("{open} {line}").trim().to_owned();
        }
    }
    paragraphs.retain(|paragraph| paragraph.contains(char::is_alphabetic));
    paragraphs
}

/// Returns the texts of each part of the repository, with their files. The first part is the
/// comments of the product and its tools. The second part is the comments of the tests and scripts.
/// The third part is the paragraphs of the documents.
fn texts() -> [Vec<(PathBuf, String)>; 3] {
    const RUST: &[&str] = &["///", "//!", "//"];
    let of_files = |files: Vec<PathBuf>, texts: &dyn Fn(&str) -> Vec<String>| {
        let texts = files.into_iter().flat_map(|path| {
            let found = texts(&read(&path));
            found.into_iter().map(move |text| (path.clone(), text))
        });
        texts.collect::<Vec<_>>()
    };
    let rust_of = |folders: &[&str]| {
        let files = folders.iter().flat_map(|folder| rust_files(folder));
        of_files(files.collect(), &|source| comments(source, RUST))
    };
    let mut of_tests = rust_of(&["fuzz", "tests"]);
    of_tests.extend(of_files(scripts(), &|script| comments(script, &["#"])));
    [
        rust_of(&["src", "crates"]),
        of_tests,
        of_files(documents(), &paragraphs),
    ]
}

/// Panics if `is_bad` returns true for more than a share of the texts of one part, in thousandths.
fn assert_few(is_bad: impl Fn(&str) -> bool, max_thousandths: usize) {
    for part in texts() {
        let bad = part.iter().filter(|(_, text)| is_bad(text));
        let bad = bad.map(|(path, text)| format!("{}: {text}", path.display()));
        assert_share(&bad.collect::<Vec<_>>(), part.len(), max_thousandths);
    }
}

/// Panics with all `bad` texts if they are more than a share of `count`, in thousandths.
fn assert_share(bad: &[String], count: usize, max_thousandths: usize) {
    if bad.len() * 1_000 > count * max_thousandths {
        assert_none(bad);
    }
}

#[test]
fn comments_and_paragraphs_are_sentences() {
    assert_few(opens_as_a_clause, MAX_OPENERS);
}

#[test]
fn comments_and_paragraphs_use_terms_that_can_be_looked_up() {
    assert_few(|text| dialect(text).is_some(), MAX_DIALECT);
}

#[test]
fn a_paragraph_is_found() {
    let document = "# What\n\nOne\ntwo.\n- three\n  four\n2. five\n\n| six | `x` |\n|---|---|\n\
                    ```\ncode\n```\n**seven** eight\n";
    let found = [
        "One two.",
        "three four",
        "five",
        "six",
        "`x` |",
        "**seven** eight",
    ];
    assert_eq!(paragraphs(document), found);
}

#[test]
fn a_comment_in_dialect_is_found() {
    let source = "/// What came of it.\n///\n/// Returns\n/// whoever waits.\n\
                  fn f() {} // no\n// `is told`\n";
    let comments = comments(source, &["///", "//!", "//"]);
    assert_eq!(
        comments,
        ["What came of it.", "Returns whoever waits.", "`is told`"]
    );
    let opens: Vec<bool> = comments.iter().map(|c| opens_as_a_clause(c)).collect();
    assert_eq!(opens, [true, false, false]);
    let phrases: Vec<_> = comments.iter().map(|c| dialect(c)).collect();
    assert_eq!(phrases, [Some("what came"), Some("whoever"), None]);
    assert!(!opens_as_a_clause("Whose turn it is; Ask it."));
}

#[test]
#[should_panic(expected = "one")]
fn more_than_the_share_is_too_much() {
    assert_share(&["one".to_owned()], 100, 9);
}
