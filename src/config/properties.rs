//! The two file formats: Java's `.properties`, and the launcher's simpler `node.properties`.

use std::fmt;

/// One `key=value` of a file. Parsers return properties in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The key, unescaped.
    pub key: String,
    /// The value, unescaped and trimmed as airlift trims it.
    pub value: String,
    /// The number of the line on which the property starts, from 1.
    pub line: usize,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The line, from 1.
    pub line: usize,
    /// The problem with the line.
    pub what: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Parses Java's properties format. Keys and values are separated by `=`, `:` or blanks. Comments
/// begin with `#` or `!`. A `\` begins an escape, or continues a line. The text is read as UTF-8.
/// Java 8 reads Latin-1, which differs only outside ASCII.
pub fn parse_java(text: &str) -> (Vec<Property>, Vec<BadLine>) {
    let mut properties = Vec::new();
    let mut bad = Vec::new();
    for (line, logical) in logical_lines(text) {
        let (key, value) = split(&logical);
        match (unescape(key), unescape(value)) {
            (Ok(key), Ok(value)) => properties.push(Property {
                key,
                value: value.trim().to_owned(),
                line,
            }),
            (Err(what), _) | (_, Err(what)) => bad.push(BadLine { line, what }),
        }
    }
    (properties, bad)
}

/// Parses `node.properties` as airlift's launcher does. Each line is `key=value`, blank, or a
/// comment that begins with `#`. There are no escapes.
pub fn parse_launcher(text: &str) -> (Vec<Property>, Vec<BadLine>) {
    let mut properties = Vec::new();
    let mut bad = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let (line, number) = (line.trim(), index + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once('=') {
            Some((key, value)) => properties.push(Property {
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
                line: number,
            }),
            None => bad.push(BadLine {
                line: number,
                what: format!("`{line}` is not of the form key=value"),
            }),
        }
    }
    (properties, bad)
}

/// Returns whether `java.util.Properties` treats the character as a blank.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Joins continuation lines, and leaves out comments. Returns each resulting line with the number
/// of its first line in the file.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut natural = text
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .zip(1..);
    while let Some((first, number)) = natural.next() {
        let first = first.trim_start_matches(is_blank);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while continues(&logical) {
            logical.pop();
            let Some((next, _)) = natural.next() else {
                break;
            };
            logical.push_str(next.trim_start_matches(is_blank));
        }
        lines.push((number, logical));
    }
    lines
}

/// Returns whether the line continues on the next line. A line that ends in an odd number of
/// backslashes continues, because each pair of backslashes is one escaped backslash.
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1
}

/// Splits a line into key and value, both still escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.char_indices().find(|(_, c)| {
        let separates = !escaped && (matches!(c, '=' | ':') || is_blank(*c));
        escaped = *c == '\\' && !escaped;
        separates
    });
    let Some((end, _)) = end else {
        return (line, "");
    };
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(is_blank);
    // The separator is one `=` or `:` with blanks around it. A second `=` or `:` belongs to the
    // value.
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_blank))
}

/// Decodes the `\` escapes of Java's format.
fn unescape(text: &str) -> Result<String, String> {
    let mut units = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    let mut buffer = [0; 2];
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next() {
                Some('u') => {
                    units.push(unicode(&mut chars)?);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => break,
            },
            other => other,
        };
        units.extend_from_slice(c.encode_utf16(&mut buffer));
    }
    // The units are UTF-16, because two escapes such as `\uD83D\uDE00` stand for one character.
    String::from_utf16(&units)
        .map_err(|_| "has a \\u escape that is only half of a surrogate pair".to_owned())
}

/// Parses the four hexadecimal digits after `\u`.
fn unicode(chars: &mut std::str::Chars<'_>) -> Result<u16, String> {
    let digits: String = chars.take(4).collect();
    let unit = u16::from_str_radix(&digits, 16)
        .ok()
        .filter(|_| digits.len() == 4 && !digits.starts_with('+'));
    unit.ok_or_else(|| format!("has a malformed \\uxxxx escape: \\u{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn java(text: &str) -> Vec<(String, String)> {
        let (properties, bad) = parse_java(text);
        assert_eq!(bad, []);
        properties.into_iter().map(|p| (p.key, p.value)).collect()
    }

    /// Every form in the documentation of `java.util.Properties.load` is parsed as Java parses it.
    #[test]
    fn java_forms() {
        let cases = [
            ("Truth = Beauty", "Truth", "Beauty"),
            (" Truth:Beauty", "Truth", "Beauty"),
            ("Truth                    :Beauty", "Truth", "Beauty"),
            ("cheeses", "cheeses", ""),
            ("key value with blanks  ", "key", "value with blanks"),
            ("key==b", "key", "=b"),
            ("key : = b", "key", "= b"),
            ("a\\ b\\:c\\=d=e", "a b:c=d", "e"),
            ("path=c:\\\\x\\y", "path", "c:\\xy"),
            ("k=\\u0041\\t\\u00e9!", "k", "A\té!"),
            ("k=\\uD83D\\uDE00", "k", "😀"),
            (
                "fruits  apple, banana, \\\n    pear, \\\n  mango",
                "fruits",
                "apple, banana, pear, mango",
            ),
            ("k=a\\\\", "k", "a\\"),
            ("k=a\\", "k", "a"),
            ("k=v\r", "k", "v"),
            ("=v", "", "v"),
        ];
        for (text, key, value) in cases {
            assert_eq!(java(text), [(key.to_owned(), value.to_owned())], "{text:?}");
        }
    }

    /// Comments and blank lines are skipped, and each property keeps the number of its first line.
    #[test]
    fn lines_are_counted() {
        let (properties, _) = parse_java("# c\n\n  ! c = d\na=1\nb=\\\n2\n#x\\\nc=3\n");
        let lines: Vec<_> = properties
            .iter()
            .map(|p| (p.key.as_str(), p.line))
            .collect();
        assert_eq!(lines, [("a", 4), ("b", 5), ("c", 8)]);
    }

    /// A malformed escape is an error with its line number, and the other lines are still parsed.
    #[test]
    fn malformed_escapes() {
        for text in [
            "a=1\nk=\\u12G4\nb=2",
            "a=1\nk=\\u12\nb=2",
            "a=1\nk=\\uD83D\nb=2",
            "a=1\nk=\\u+123\nb=2",
        ] {
            let (properties, bad) = parse_java(text);
            assert_eq!(properties.len(), 2, "{text:?}");
            assert_eq!(
                bad.iter().map(|b| b.line).collect::<Vec<_>>(),
                [2],
                "{text:?}"
            );
        }
    }

    /// `node.properties` is parsed by the launcher's rules: there are no escapes, and only `=`
    /// separates key and value.
    #[test]
    fn launcher_format() {
        let (properties, bad) =
            parse_launcher("# c\n node.id = a\\b \n\nnode.pool=x=y\nnonsense\n");
        let read: Vec<_> = properties
            .iter()
            .map(|p| (p.key.as_str(), p.value.as_str(), p.line))
            .collect();
        assert_eq!(read, [("node.id", "a\\b", 2), ("node.pool", "x=y", 4)]);
        assert_eq!(
            bad,
            [BadLine {
                line: 5,
                what: "`nonsense` is not of the form key=value".into()
            }]
        );
    }
}
