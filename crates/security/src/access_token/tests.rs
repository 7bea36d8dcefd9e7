//! Tests of the list of tokens.

use super::*;

/// A file with the line of each token accepts exactly these tokens, each with its name and role.
#[test]
fn a_token_has_its_owner() {
    let tokens = [1, 2, 3].map(|byte| token_of([byte; 32]));
    let roles = [TokenRole::Read, TokenRole::Write, TokenRole::Admin];
    let mut text = "\u{feff}# people\n\n".to_owned();
    for (token, role) in tokens.iter().zip(roles) {
        let line = token_line(&format!("ops.{}", role.name()), role, token).expect("a line");
        assert!(!line.contains(token.as_str()), "{line}");
        text += &format!("  {line}\r\n");
    }
    let list = AccessTokens::parse(&text).expect("a list");
    assert_eq!(list.count(), 3);
    for (token, role) in tokens.iter().zip(roles) {
        let owner = list.owner(token).expect("it is in the file");
        assert_eq!(
            (&*owner.name, owner.role),
            (&*format!("ops.{}", role.name()), role)
        );
        let other = token.replace("quorate_", "Quorate_");
        for wrong in ["", other.as_str(), &token[..token.len() - 1]] {
            assert_eq!(list.owner(wrong), None, "{wrong}");
        }
    }
    assert_eq!(format!("{list:?}"), "AccessTokens(3 accepted)");
}

/// A later role has the rights of the roles before it.
#[test]
fn roles_are_ordered() {
    assert!(TokenRole::Read < TokenRole::Write && TokenRole::Write < TokenRole::Admin);
}

/// A bad line is refused by its number, and the error shows no part of a digest.
#[test]
fn bad_lines_are_named() {
    let digest = format!("sha256:{}", "a1".repeat(32));
    let good = format!("ops write {digest}");
    let text = |bad: &str| format!("# a comment\n{bad}\n");
    let words = "expected NAME ROLE sha256:DIGEST, as `quorate token` prints it";
    let name = "a name has 1 to 64 letters, digits, dots, hyphens and underscores";
    let wrong_digest = "the digest is not sha256: with 64 hexadecimal digits";
    for (line, error) in [
        ("ops", words),
        ("ops write", words),
        (&*format!("{good} more"), words),
        (&format!("o/ps write {digest}"), name),
        (&format!("{} write {digest}", "o".repeat(65)), name),
        (
            &format!("ops Write {digest}"),
            "the role is none of read, write and admin",
        ),
        (&format!("ops write {}", "a1".repeat(32)), wrong_digest),
        (&format!("ops write {digest}0"), wrong_digest),
        (
            &format!("ops write sha256:{}", "g1".repeat(32)),
            wrong_digest,
        ),
        (
            &format!("ops write sha256:{}", "é".repeat(32)),
            wrong_digest,
        ),
    ] {
        let refused = AccessTokens::parse(&text(line))
            .expect_err(line)
            .to_string();
        assert_eq!(refused, format!("line 2: {error}"));
    }
    for twice in [
        format!("{good}\nops read sha256:{}", "b2".repeat(32)),
        format!("{good}\ndev read {digest}"),
    ] {
        let refused = AccessTokens::parse(&twice)
            .expect_err("it is twice")
            .to_string();
        assert_eq!(refused, "line 2: the same name or digest is in line 1 too");
    }
}

/// The number of tokens is limited, and a file without tokens accepts none.
#[test]
fn the_number_is_limited() {
    let line = |i: usize| format!("n{i} read sha256:{i:064x}\n");
    let most: String = (0..ACCESS_TOKENS_MAX).map(line).collect();
    assert_eq!(AccessTokens::parse(&most).expect("a list").count(), 1_000);
    let over = most + &line(ACCESS_TOKENS_MAX);
    assert_eq!(AccessTokens::parse(&over), Err(AccessTokensError::TooMany));
    assert_eq!(AccessTokens::parse("# none\n").expect("a list").count(), 0);
}
