//! Tests of engines' tokens.

use super::*;
use crate::secret::Secret;

const SECRET: &str = "quorate-test-secret";
const NOW_S: u64 = 1_700_000_000;

fn keys(secrets: &str) -> EngineKeys {
    EngineKeys::derive(&SecretList::parse(secrets).expect("a list"), "test")
}

/// Makes a token with the key of a secret. `hkdf` selects the derivation of Trino 480.
fn token(secret: &str, hkdf: bool, header: &str, claims: &str) -> String {
    let key = &keys_of(secret.as_bytes())[usize::from(hkdf)];
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = hmac::sign(key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

const HS256: &str = r#"{"alg":"HS256"}"#;

fn claims(expires_s: u64) -> String {
    format!(r#"{{"sub":"w1","exp":{expires_s}}}"#)
}

fn verify(token: &str) -> Result<String, EngineTokenError> {
    keys(SECRET).verify(token, NOW_S)
}

/// A token is valid with either derivation of the key, and with any secret of the list.
#[test]
fn both_derivations_and_all_secrets() {
    let other = "another-secret-of-an-engine";
    let both = keys(&format!("{other}\n{SECRET}"));
    for hkdf in [false, true] {
        for secret in [SECRET, other] {
            let token = token(secret, hkdf, HS256, &claims(NOW_S + 300));
            assert_eq!(both.verify(&token, NOW_S).as_deref(), Ok("w1"));
        }
    }
}

/// The derivations are the same as in the engines. The expected keys were computed with Java for
/// the secret `quorate-test-secret`. The test compares keys by their signatures of a fixed text.
#[test]
fn derivations_are_those_of_engines() {
    let keys = [
        "16187e62d1c0b06cabee52a9426d500b315fc204ec6b297380e03118dad317ab",
        "f3cc3ec075a4fdee660708a23afabf77b60311c61621dd7bdf8b521007e04f55",
    ];
    for (key, expected) in keys_of(SECRET.as_bytes()).iter().zip(keys) {
        let bytes: Vec<u8> = (0..expected.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&expected[i..i + 2], 16).expect("hex"))
            .collect();
        let expected = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let signature = hmac::sign(&expected, b"text");
        assert!(hmac::verify(key, b"text", signature.as_ref()).is_ok());
    }
}

/// A token that the signer makes is valid for its engine until it expires, whatever characters the
/// node id has, and only with its secret. `Debug` does not show the key.
#[test]
fn signed_tokens_are_valid() {
    let signer = EngineTokenSigner::of(&Secret::parse(SECRET).expect("a secret"));
    for node_id in ["w1", "bench-0badcafe-99", r#"a"b\c/é"#] {
        let token = signer.token(node_id, NOW_S + 300);
        assert_eq!(verify(&token).as_deref(), Ok(node_id));
        let other = keys("another-secret-of-an-engine").verify(&token, NOW_S);
        assert_eq!(other, Err(EngineTokenError::WrongSecret));
        let late = keys(SECRET).verify(&token, NOW_S + 300 + LEEWAY_S);
        assert_eq!(late, Err(EngineTokenError::Expired { ago_s: 60 }));
    }
    assert_eq!(format!("{signer:?}"), "EngineTokenSigner(hidden)");
}

/// A token of another secret is refused. If a token was signed with the name of the environment,
/// the error states this cause.
#[test]
fn the_signature_decides() {
    for hkdf in [false, true] {
        let signed_by = |secret| verify(&token(secret, hkdf, HS256, &claims(NOW_S + 300)));
        assert_eq!(
            signed_by("another-secret"),
            Err(EngineTokenError::WrongSecret)
        );
        assert_eq!(signed_by("test"), Err(EngineTokenError::NoSecret));
    }
    let good = token(SECRET, false, HS256, &claims(NOW_S + 300));
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let swapped = token(SECRET, false, HS256, r#"{"sub":"w2","exp":1700000300}"#);
    let (other, _) = swapped.rsplit_once('.').expect("three parts");
    for bad in [
        format!("{other}.{signature}"),
        format!("{signed}."),
        format!("{signed}.AAAA"),
    ] {
        assert_eq!(verify(&bad), Err(EngineTokenError::WrongSecret), "{bad}");
    }
}

/// The header cannot choose another algorithm. A header with `crit`, which lists extensions that
/// must be understood, is refused.
#[test]
fn the_algorithm_is_fixed() {
    let claims = claims(NOW_S + 300);
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"HS512"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS256","crit":["exp"]}"#,
    ] {
        let signed = token(SECRET, false, header, &claims);
        assert_eq!(
            verify(&signed),
            Err(EngineTokenError::Algorithm),
            "{header}"
        );
        let (unsigned, _) = signed.rsplit_once('.').expect("three parts");
        let unsigned = format!("{unsigned}.");
        assert_eq!(
            verify(&unsigned),
            Err(EngineTokenError::WrongSecret),
            "{header}"
        );
    }
    let extra = r#"{"alg":"HS256","kid":"../../etc/passwd","jwk":{},"x5u":"http://h","typ":"JWT"}"#;
    assert!(verify(&token(SECRET, false, extra, &claims)).is_ok());
}

/// A token is valid until a minute after its expiry, and from a minute before its beginning.
#[test]
fn clocks_may_differ_by_a_minute() {
    let at = |text: &str| verify(&token(SECRET, true, HS256, text));
    let expiring = |expires_s| at(&claims(expires_s));
    assert!(expiring(NOW_S - LEEWAY_S + 1).is_ok());
    assert_eq!(
        expiring(NOW_S - LEEWAY_S),
        Err(EngineTokenError::Expired { ago_s: 60 })
    );
    for key in ["nbf", "iat"] {
        let from = |start: u64| {
            at(&format!(
                r#"{{"sub":"w1","exp":1800000000,"{key}":{start}}}"#
            ))
        };
        assert!(from(NOW_S + LEEWAY_S).is_ok());
        assert_eq!(
            from(NOW_S + LEEWAY_S + 1),
            Err(EngineTokenError::Early { ahead_s: 61 })
        );
    }
    assert_eq!(at(r#"{"sub":"w1"}"#), Err(EngineTokenError::NoExpiry));
    assert_eq!(
        at(r#"{"sub":"w1","exp":null}"#),
        Err(EngineTokenError::NoExpiry)
    );
}

/// A token is refused if it names no node, if a claim has the wrong type or is repeated, or if the
/// text does not have the form of a token.
#[test]
fn malformed_tokens() {
    for (text, error) in [
        (r#"{"exp":1700000300}"#, EngineTokenError::NoSubject),
        (
            r#"{"exp":1700000300,"sub":""}"#,
            EngineTokenError::NoSubject,
        ),
        (r#"{"exp":1700000300,"sub":7}"#, EngineTokenError::Malformed),
        (
            r#"{"exp":"1700000300","sub":"w1"}"#,
            EngineTokenError::Malformed,
        ),
        (r#"{"exp":1e999,"sub":"w1"}"#, EngineTokenError::Malformed),
        (
            r#"{"exp":1,"exp":1700000300,"sub":"w1"}"#,
            EngineTokenError::Malformed,
        ),
        (
            r#"{"exp":1700000300,"sub":"w1","sub":"w2"}"#,
            EngineTokenError::Malformed,
        ),
        ("", EngineTokenError::Malformed),
        ("[]", EngineTokenError::Malformed),
    ] {
        let token = token(SECRET, false, HS256, text);
        assert_eq!(verify(&token), Err(error), "{text}");
    }
    for token in ["", ".", "..", "a", "a.b", "a.b.c.d", "a.b.=", "é.é.é", " "] {
        assert!(verify(token).is_err(), "{token}");
    }
    let long = format!("a.b.{}", "c".repeat(TOKEN_BYTES_MAX));
    assert_eq!(verify(&long), Err(EngineTokenError::TooLong));
    assert_eq!(format!("{:?}", keys(SECRET)), "EngineKeys(2 accepted)");
    assert!(Secret::parse(SECRET).expect("a secret").is_weak());
}
