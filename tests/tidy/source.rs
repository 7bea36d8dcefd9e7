//! A minimal parser of Rust. It distinguishes code from comments and strings, and reads the trees
//! of `use` declarations.

use std::collections::BTreeSet;

/// Returns the code of a source. Comments and the contents of string and character literals are
/// replaced by blanks. Line breaks are kept, so that line numbers stay the same.
pub fn code_of(source: &str) -> String {
    split_source(source).0
}

/// Returns the contents of every string literal outside comments.
pub fn strings_of(source: &str) -> Vec<String> {
    split_source(source).1
}

/// Separates the code of a source from the contents of its string literals.
fn split_source(source: &str) -> (String, Vec<String>) {
    let chars: Vec<char> = source.chars().collect();
    let (mut code, mut strings) = (String::new(), Vec::new());
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        if let Some(length) = comment_length(rest) {
            blank(&mut code, &rest[..length]);
            at += length;
        } else if let Some((open, length, close)) = string_lengths(rest, code.chars().last()) {
            strings.push(rest[open..length - close].iter().collect());
            code.push('"');
            blank(&mut code, &rest[1..length - 1]);
            code.push('"');
            at += length;
        } else if let Some(length) = character_length(rest) {
            blank(&mut code, &rest[..length]);
            at += length;
        } else {
            code.push(rest[0]);
            at += 1;
        }
    }
    (code, strings)
}

fn blank(code: &mut String, skipped: &[char]) {
    code.extend(skipped.iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
}

fn comment_length(rest: &[char]) -> Option<usize> {
    if rest.starts_with(&['/', '/']) {
        return Some(rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with(&['/', '*']) {
        return None;
    }
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(&['/', '*']) {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with(&['*', '/']) {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    Some(rest.len())
}

/// Returns three lengths of the string literal with which the text begins. They are the lengths of
/// its opening delimiter, of the whole literal, and of its closing delimiter.
fn string_lengths(rest: &[char], before: Option<char>) -> Option<(usize, usize, usize)> {
    if rest[0] == '"' {
        let mut at = 1;
        while at < rest.len() && rest[at] != '"' {
            at += if rest[at] == '\\' { 2 } else { 1 };
        }
        return Some((1, (at + 1).min(rest.len()), 1));
    }
    if rest[0] != 'r' || before.is_some_and(|c| c.is_alphanumeric() && c != 'b' || c == '_') {
        return None;
    }
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return None;
    }
    let close: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    let open = hashes + 2;
    let inside = rest[open..]
        .windows(close.len())
        .position(|window| window == close)?;
    Some((open, open + inside + close.len(), close.len()))
}

/// Returns the length of the character literal with which the text begins. Returns `None` for a
/// lifetime.
fn character_length(rest: &[char]) -> Option<usize> {
    match rest {
        ['\'', '\\', _, tail @ ..] => Some(4 + tail.iter().position(|c| *c == '\'')?),
        ['\'', _, '\'', ..] => Some(3),
        _ => None,
    }
}

/// Returns the number of the line on which a file's own tests begin. If the file has no tests,
/// returns the number of the line after its last line.
pub fn test_part_line(source: &str) -> usize {
    let lines: Vec<&str> = source.lines().collect();
    let begins = |index: &usize| {
        lines[*index].trim() == "#[cfg(test)]"
            && lines.get(index + 1).is_some_and(|next| {
                next.trim_start().starts_with("mod ") && next.trim_end().ends_with('{')
            })
    };
    (0..lines.len()).find(begins).unwrap_or(lines.len()) + 1
}

/// Returns the number of lines of a source file, without its tests.
pub fn product_lines(source: &str) -> usize {
    source.lines().count().min(test_part_line(source) - 1)
}

/// Returns whether the code contains the name, and not only as a part of a longer name.
pub fn has_name(code: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + name.len()..].chars().next();
        let joined_before = before.is_some_and(part);
        let joined_after = name.ends_with(part) && after.is_some_and(part);
        !joined_before && !joined_after
    })
}

/// Returns the maximum number of consecutive `super::` in a line.
pub fn supers(line: &str) -> usize {
    let mut most = 0;
    let mut run = 0;
    for part in line.split("::") {
        let last = part
            .rsplit(|c: char| !(c.is_alphanumeric() || c == '_'))
            .next();
        run = if last == Some("super") { run + 1 } else { 0 };
        most = most.max(run);
    }
    most
}

/// Returns every path that begins with `crate::`, with at most two names after that. `use` trees
/// are split into paths.
pub fn crate_paths(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        for first in branches(&code[at + "crate::".len()..]) {
            match first.rest.strip_prefix("::") {
                Some(below) => {
                    paths.extend(
                        branches(below)
                            .into_iter()
                            .map(|second| vec![first.name.clone(), second.name]),
                    );
                }
                None => paths.push(vec![first.name]),
            }
        }
    }
    paths
}

/// A name in a `use` tree, with the text after it.
struct Branch<'a> {
    name: String,
    rest: &'a str,
}

/// Returns the names with which the paths of a text begin, each with the text after it. The text is
/// a single path or a `{...}` group.
fn branches(text: &str) -> Vec<Branch<'_>> {
    let text = text.trim_start();
    let Some(group) = text.strip_prefix('{') else {
        let end = text
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '*'))
            .unwrap_or(text.len());
        return vec![Branch {
            name: text[..end].to_owned(),
            rest: &text[end..],
        }];
    };
    let (mut depth, mut from, mut parts) = (0usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[from..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts
        .into_iter()
        .filter(|part| !part.trim().is_empty())
        .flat_map(branches)
        .collect()
}

/// Returns the names that the root of a module exports by `pub use` and as public items, except
/// modules.
pub fn exported_names(source: &str) -> BTreeSet<String> {
    let code = code_of(source);
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("pub ") {
        let item = &code[at + 4..];
        let mut words = item
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|word| !word.is_empty());
        match words.next() {
            Some("use") => {
                let tree = item.split(';').next().unwrap_or("");
                let leaves = tree.trim_start_matches("use").split(['{', '}', ',']);
                names.extend(leaves.filter_map(|leaf| {
                    let name = leaf.rsplit(" as ").next()?.rsplit("::").next()?.trim();
                    (!name.is_empty()).then(|| name.to_owned())
                }));
            }
            Some("struct" | "enum" | "trait" | "type" | "const" | "fn") => {
                names.extend(words.next().map(str::to_owned))
            }
            Some("async") => names.extend(words.nth(1).map(str::to_owned)),
            _ => {}
        }
    }
    names
}

#[test]
fn comments_and_strings_are_told_from_code() {
    let code = code_of("a /* b /* c */ d */ e // f\n'g' 'h: \"i\\\"j\" r#\"k\"l\"# m");
    let words: Vec<&str> = code
        .split_whitespace()
        .filter(|word| !word.starts_with('"'))
        .collect();
    assert_eq!(words, ["a", "e", "'h:", "m"]);
    assert_eq!(
        strings_of("let a = \"x\"; // \"y\"\nlet b = r#\"z\"#;"),
        ["x", "z"]
    );
    assert_eq!(supers("use super::super::raft;"), 2);
    assert_eq!(supers("pub(super) fn f() {}"), 0);
}
