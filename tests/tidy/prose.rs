//! Checks that comments are sentences and use terms that can be looked up.

use crate::scripts::scripts;
use crate::tree::{assert_none, read, rust_files};
use std::path::PathBuf;

/// First words that turn a comment into a clause: "What the node holds" instead of "The
/// announcement of the node".
const OPENERS: &[&str] = &[
    "What", "Who", "Whoever", "Where", "How", "Those", "Of", "As", "None",
];

/// Maximum share of comments, in thousandths, that may begin with one of [`OPENERS`]. It is not
/// zero, because now and then one of these words is the plainest beginning.
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

/// Returns all sources, each with the marks of its comments.
fn sources() -> Vec<(PathBuf, &'static [&'static str])> {
    const RUST: &[&str] = &["///", "//!", "//"];
    let rust = ["src", "crates", "fuzz", "tests"]
        .into_iter()
        .flat_map(rust_files)
        .map(|path| (path, RUST));
    let scripts = scripts().into_iter().map(|path| (path, &["#"][..]));
    rust.chain(scripts).collect()
}

/// Returns the comments of all sources for which `is_bad` returns true, and the number of all
/// comments.
fn bad_comments(is_bad: impl Fn(&str) -> bool) -> (Vec<String>, usize) {
    let (mut bad, mut count) = (Vec::new(), 0);
    for (path, marks) in sources() {
        for comment in comments(&read(&path), marks) {
            count += 1;
            if is_bad(&comment) {
                bad.push(format!("{}: {comment}", path.display()));
            }
        }
    }
    (bad, count)
}

/// Panics with all `bad` comments if they are more than a share of `count`, in thousandths.
fn assert_share(bad: &[String], count: usize, max_thousandths: usize) {
    if bad.len() * 1_000 > count * max_thousandths {
        assert_none(bad);
    }
}

#[test]
fn comments_are_sentences() {
    let (bad, count) = bad_comments(opens_as_a_clause);
    assert_share(&bad, count, MAX_OPENERS);
}

#[test]
fn comments_use_terms_that_can_be_looked_up() {
    let (bad, count) = bad_comments(|comment| dialect(comment).is_some());
    assert_share(&bad, count, MAX_DIALECT);
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
