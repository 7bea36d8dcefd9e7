//! The language of comments, the width of lines, and names with one meaning.

use crate::scripts::scripts;
use crate::tree::{assert_none, read, rust_files};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const MAX_COLUMNS: usize = 100;

/// Words with which a comment is a clause instead of a sentence: "What the node holds" for "The
/// announcement of the node".
const OPENERS: &[&str] = &[
    "What", "Who", "Whoever", "Where", "How", "Those", "Of", "As", "None",
];

/// At most this share of comments, in thousandths, may begin with one of [`OPENERS`]. Now and then
/// one of them is the plainest beginning.
const MAX_OPENERS: usize = 14;

/// Phrases that nobody would look up, where the field has a term.
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

/// At most this share of comments, in thousandths, may contain one of [`DIALECT`].
const MAX_DIALECT: usize = 4;

/// Names of types that are defined more than once on purpose: each says the same thing of another
/// module.
const SHARED_NAMES: &[&str] = &["Error"];

/// The text of each comment: lines that follow each other, without their marks.
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

fn opens_as_a_clause(comment: &str) -> bool {
    let first = comment.split(|c: char| !c.is_alphanumeric()).next();
    first.is_some_and(|first| OPENERS.contains(&first))
}

/// The phrase of [`DIALECT`] that a comment contains outside of code.
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

/// All sources, with the marks of their comments.
fn sources() -> Vec<(PathBuf, &'static [&'static str])> {
    const RUST: &[&str] = &["///", "//!", "//"];
    let rust = ["src", "crates", "fuzz", "tests", "benches"]
        .into_iter()
        .flat_map(rust_files)
        .filter(|path| !path.iter().any(|part| part == "target"))
        .map(|path| (path, RUST));
    let scripts = scripts().into_iter().map(|path| (path, &["#"][..]));
    rust.chain(scripts).collect()
}

/// The comments of all sources that `is_bad`, with the number of all.
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

/// Complains of all when they are more than a share of `count`, in thousandths.
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
    let source = "/// What came of it.\n///\n/// Returns\n/// whoever waits.\nfn f() {} // no\n// `is told`\n";
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

/// The numbers of lines that are too long. Tables, addresses and code in documents cannot be
/// wrapped.
fn long_lines(path: &Path, text: &str) -> Vec<String> {
    let is_document = path.extension().is_some_and(|extension| extension == "md");
    let mut in_code = false;
    let mut long = Vec::new();
    for (i, line) in text.lines().enumerate() {
        in_code ^= is_document && line.trim().starts_with("```");
        let is_exempt = is_document
            && (in_code || line.trim_start().starts_with('|') || line.contains("](http"));
        let columns = line.chars().count();
        if columns > MAX_COLUMNS && !is_exempt {
            long.push(format!("{}:{}: {columns} columns", path.display(), i + 1));
        }
    }
    long
}

#[test]
fn lines_fit_on_a_screen() {
    let sources = sources().into_iter().map(|(path, _)| path);
    let complaints = sources.flat_map(|path| long_lines(&path, &read(&path)));
    assert_none(&complaints.collect::<Vec<_>>());
}

#[test]
fn a_long_line_is_found() {
    let long = "x".repeat(MAX_COLUMNS + 1);
    let path = Path::new("src/x.rs");
    assert_eq!(long_lines(path, &long), ["src/x.rs:1: 101 columns"]);
    assert!(long_lines(path, &"ä".repeat(MAX_COLUMNS)).is_empty());
    let table = format!("| {long}\n{long}");
    assert_eq!(
        long_lines(Path::new("x.md"), &table),
        ["x.md:2: 101 columns"]
    );
}

/// The names of the types that a source defines at its top level.
fn types(source: &str) -> Vec<&str> {
    source
        .lines()
        .take_while(|line| !line.starts_with("mod tests"))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            let mut words = words.skip_while(|word| !matches!(*word, "struct" | "enum" | "trait"));
            let keyword_is_first = line.starts_with(['p', 's', 'e', 't']);
            words.next().filter(|_| keyword_is_first)?;
            words.next()
        })
        .collect()
}

#[test]
fn a_name_has_one_meaning() {
    let mut defined: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in ["src", "crates"].into_iter().flat_map(rust_files) {
        if path.iter().any(|part| part == "tests" || part == "target") {
            continue;
        }
        for name in types(&read(&path)) {
            let files = defined.entry(name.to_owned()).or_default();
            files.push(path.display().to_string());
        }
    }
    let twice = defined
        .iter()
        .filter(|(name, files)| files.len() > 1 && !SHARED_NAMES.contains(&name.as_str()))
        .map(|(name, files)| format!("{name}: {}", files.join(", ")));
    assert_none(&twice.collect::<Vec<_>>());
}

#[test]
fn a_type_is_found() {
    let source =
        "pub(super) struct Held<'a> {\n    struct No;\n}\nenum Answer {}\nmod tests {\nstruct T;";
    assert_eq!(types(source), ["Held", "Answer"]);
}
