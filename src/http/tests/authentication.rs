//! Tests of the policy: what each route and method demands of each client.

use super::engine_tokens::TokenOf;
use super::server::TestServer;
use crate::clock::{PauseDetector, wall_ms};
use crate::http::authentication::Rule;
use crate::http::fake_backend::FakeBackend;
use crate::http::router::router;
use crate::http::state::AppState;
use crate::http::{EngineSecurity, HttpSettings};
use crate::security::{
    AccessTokens, EngineKeys, SecretList, TokenRole, token_line, token_of as access_token,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

const SECRET: &str = "an-engines-secret-of-32-bytes-or-more";
const BODY: &str = r#"{"environment":"test","pool":"p","services":[]}"#;

/// Starts a server that checks the tokens of engines.
async fn server(is_required: bool, trusted: &[&str]) -> TestServer {
    let secrets = SecretList::parse(SECRET).expect("a list");
    let (_, keys) = watch::channel(Arc::new(EngineKeys::derive(&secrets, "test")));
    let networks = trusted
        .iter()
        .map(|network| network.parse().expect("a network"));
    TestServer::with(HttpSettings {
        engines: EngineSecurity::Tokens {
            keys,
            is_required,
            trusted_addresses: networks.collect(),
        },
        ..HttpSettings::new("test")
    })
    .await
}

fn now_s() -> u64 {
    wall_ms() / 1_000
}

/// Returns the header line with a valid token of a node.
fn token_of(node_id: &str) -> String {
    let token = TokenOf::Trino.token(SECRET, node_id, now_s() + 300);
    format!("{}: {token}\r\n", TokenOf::Trino.header())
}

/// Sends a request, and returns the status and the body of the response.
async fn ask(server: &TestServer, request: &str, headers: &str) -> (u16, String) {
    let body = match request.starts_with("PUT") || request.starts_with("POST") {
        true => BODY,
        false => "",
    };
    let answer = server
        .ask(format!(
            "{request} HTTP/1.1\r\nHost: n\r\nContent-Type: application/json\r\n{headers}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    if [401, 403].contains(&answer.status) {
        assert_eq!(
            answer.headers.get("quorate-applied").map(String::as_str),
            Some("no")
        );
    }
    (
        answer.status,
        String::from_utf8_lossy(&answer.body).into_owned(),
    )
}

/// Each method of each route has the rule that the documents name, in every spelling of its path.
#[tokio::test]
async fn each_route_has_its_rule() {
    use Rule::{Open, OwnNode, Peer, Read, Write};
    let settings = HttpSettings::new("test");
    let (_stop, stopping) = watch::channel(false);
    let app = AppState::shared(
        FakeBackend::new(),
        settings,
        PauseDetector::start_simulated(),
        stopping,
    );
    let (_, policy) = router(app);
    for (path, reading, writing) in [
        ("/v1/announcement/w1", OwnNode, OwnNode),
        ("/v1/announcement/static", Read, Write),
        ("/v1/announcement/static/7", Read, Write),
        ("/v1/service", Read, Read),
        ("/v1/service/t", Read, Read),
        ("/v1/service/t/p", Read, Read),
        ("/v1/watch/t", Read, Read),
        ("/v1/watch/t/p", Read, Read),
        ("/v1/targets/t", Read, Read),
        ("/v1/targets/t/p", Read, Read),
        ("/v1/coordinator", Open, Open),
        ("/v1/service-inventory", Read, Read),
        ("/v1/serviceInventory", Read, Read),
        ("/v1/cluster/status", Read, Read),
        ("/v1/cluster/ready", Open, Open),
        ("/v1/cluster/peer", Peer, Peer),
        ("/metrics", Read, Read),
        ("/", Open, Open),
        ("/ui", Open, Open),
        ("/ui/x/y", Open, Open),
        ("/v1/info", Open, Open),
        ("/v1/statement", Open, Open),
        ("/v1/nothing", Open, Open),
    ] {
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(policy.rule(&method, path).0, reading, "{method} {path}");
        }
        for method in [Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
            assert_eq!(policy.rule(&method, path).0, writing, "{method} {path}");
        }
        assert_eq!(policy.rule(&Method::OPTIONS, path).0, Open, "{path}");
    }
}

/// An engine can announce and withdraw only itself, and only with its own token. This is the same
/// for every spelling of the path. All other writes are refused, and reads stay open.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_writes_only_itself() {
    let server = server(true, &[]).await;
    let (own, other) = (token_of("w1"), token_of("w2"));
    for path in [
        "/v1/announcement/w1",
        "/v1/announcement/w1/",
        "//v1//announcement/w1",
        "/v1/announcement;x=1/w1;y",
        "/v1/announcement/%771",
        "http://n/v1/announcement/w1",
    ] {
        for (method, done) in [("PUT", 202), ("DELETE", 204)] {
            let request = format!("{method} {path}");
            let (status, text) = ask(&server, &request, "").await;
            assert_eq!(status, 401, "{request}");
            assert_eq!(
                text.trim_end(),
                "An announcement needs X-Presto-Internal-Bearer or X-Trino-Internal-Bearer, \
                 and 127.0.0.1 is not in discovery.announcement.trusted-addresses and has \
                 shown no certificate of http-server.https.truststore.path"
            );
            let (status, text) = ask(&server, &request, &other).await;
            assert_eq!(status, 403, "{request}");
            assert_eq!(text.trim_end(), "The token is of node w2, not of w1");
            assert_eq!(ask(&server, &request, &own).await.0, done, "{request}");
        }
    }
    assert!(!server.backend.lists("w1") && !server.backend.lists("w2"));
    for (request, status) in [
        ("POST /v1/announcement/static", 403),
        ("DELETE /v1/announcement/static/7", 403),
        ("GET /v1/announcement/static", 200),
        ("OPTIONS /v1/announcement/w1", 200),
        ("GET /v1/service", 200),
        ("GET /v1/service/t/p", 200),
        ("GET /v1/cluster/status", 200),
        ("GET /v1/cluster/ready", 200),
        ("GET /v1/coordinator", 503),
        ("GET /v1/service-inventory", 200),
        ("GET /v1/nothing", 404),
        ("PUT /v1/service/t/p", 405),
    ] {
        for token in ["", own.as_str()] {
            assert_eq!(ask(&server, request, token).await.0, status, "{request}");
        }
    }
}

/// With tokens, static announcements need one of the role `write`, in either scheme, and a person
/// with that role may write any announcement. A header of another scheme is ignored.
#[tokio::test(flavor = "multi_thread")]
async fn people_write_with_a_token() {
    let server = TestServer::with(HttpSettings {
        access_tokens: Some(access_tokens()),
        ..HttpSettings::new("test")
    })
    .await;
    let basic = |token: &str| {
        let credentials = STANDARD.encode(format!("anyone:{token}"));
        format!("Authorization: basic {credentials}\r\n")
    };
    let statics = "DELETE /v1/announcement/static/7";
    let put = "PUT /v1/announcement/w1";
    let [read, write] = [token_of_role(1), token_of_role(2)];
    let not_here = "Authorization: the token is not in cluster.tokens-file of this node";
    let too_low = "The token of role1 has the role read, and this needs write";
    for (headers, without, done, text) in [
        (
            "",
            202,
            401,
            "This needs a token with the role write (Authorization: Bearer TOKEN)",
        ),
        (
            "Authorization: Negotiate x\r\n",
            202,
            401,
            "This needs a token",
        ),
        (&bearer(&write), 202, 204, ""),
        (&basic(&write), 202, 204, ""),
        (&bearer(&read), 403, 403, too_low),
        (&basic(&read), 403, 403, too_low),
        (&bearer("quorate_x"), 401, 401, not_here),
        (&bearer(""), 401, 401, not_here),
        (
            "Authorization: Basic ====\r\n",
            401,
            401,
            "Authorization: it is malformed",
        ),
        (
            "Authorization: Basic eA==\r\n",
            401,
            401,
            "Authorization: it is malformed",
        ),
        (
            &bearer(&write).repeat(2),
            401,
            401,
            "Authorization: a request may have only one",
        ),
    ] {
        let (status, answer) = ask(&server, statics, headers).await;
        assert_eq!(status, done, "{headers}");
        assert!(answer.starts_with(text), "{headers}: {answer}");
        assert_eq!(ask(&server, put, headers).await.0, without, "{headers}");
    }
}

/// If lookups need a proof, they accept the token of any engine and of any person, and nothing
/// else. What monitoring and SQL clients need stays open.
#[tokio::test(flavor = "multi_thread")]
async fn closed_lookups_need_a_token() {
    let secrets = SecretList::parse(SECRET).expect("a list");
    let (_, keys) = watch::channel(Arc::new(EngineKeys::derive(&secrets, "test")));
    let server = TestServer::with(HttpSettings {
        engines: EngineSecurity::Tokens {
            keys,
            is_required: true,
            trusted_addresses: vec!["127.0.0.0/8".parse().expect("a network")],
        },
        access_tokens: Some(access_tokens()),
        reads_need_proof: true,
        ..HttpSettings::new("test")
    })
    .await;
    for (headers, expected) in [
        (String::new(), 401),
        (header("x.y.z".to_owned()), 401),
        (bearer("quorate_x"), 401),
        (token_of("w7"), 200),
        (bearer(&token_of_role(1)), 200),
        (bearer(&token_of_role(2)), 200),
    ] {
        for path in ["/v1/service", "/v1/service/t/p", "/v1/cluster/status"] {
            let (status, text) = ask(&server, &format!("GET {path}"), &headers).await;
            assert_eq!(status, expected, "{path} {headers}: {text}");
        }
        assert_eq!(ask(&server, "GET /v1/cluster/ready", &headers).await.0, 200);
        assert_eq!(ask(&server, "GET /v1/coordinator", &headers).await.0, 503);
    }
}

/// A refused read offers Basic, for which a browser asks its user for a token. A refused write does
/// not, and neither does a read if people have no tokens.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_asks_its_user_for_a_token() {
    const BASIC: &str = "www-authenticate: Basic realm=\"quorate\", charset=\"UTF-8\"\r\n";
    for (tokens, read_offers) in [(Some(access_tokens()), true), (None, false)] {
        let server = TestServer::with(HttpSettings {
            access_tokens: tokens,
            reads_need_proof: true,
            ..HttpSettings::new("test")
        })
        .await;
        let answer = head(&server, "GET /v1/service").await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        assert!(answer.contains("www-authenticate: Bearer\r\n"), "{answer}");
        assert_eq!(answer.contains(BASIC), read_offers, "{answer}");
    }
    let server = TestServer::with(HttpSettings {
        access_tokens: Some(access_tokens()),
        ..HttpSettings::new("test")
    })
    .await;
    let answer = head(&server, "DELETE /v1/announcement/static/7").await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(!answer.contains("Basic"), "{answer}");
}

/// Sends a request without a token, and returns the whole response, in which a header may occur
/// twice.
async fn head(server: &TestServer, request: &str) -> String {
    let mut stream = server.connect().await;
    let request = format!("{request} HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n");
    let sent = stream.write_all(request.as_bytes()).await;
    sent.expect("the server reads");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer).await;
    read.expect("a response");
    answer
}

/// Returns the tokens of the roles `read` and `write`.
fn access_tokens() -> watch::Receiver<Arc<AccessTokens>> {
    let line = |(role, number): (TokenRole, u8)| {
        token_line(&format!("role{number}"), role, &token_of_role(number)).expect("a line")
    };
    let lines = [(TokenRole::Read, 1), (TokenRole::Write, 2)].map(line);
    let tokens = AccessTokens::parse(&lines.join("\n")).expect("tokens");
    watch::channel(Arc::new(tokens)).1
}

fn token_of_role(number: u8) -> String {
    access_token([number; 32])
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Each kind of bad token is refused with its reason, even if no token is required.
#[tokio::test(flavor = "multi_thread")]
async fn bad_tokens_are_refused_with_the_reason() {
    for is_required in [true, false] {
        let server = server(is_required, &["127.0.0.0/8"]).await;
        let (good, now) = (token_of("w1"), now_s());
        let claims = format!(r#"{{"sub":"w1","exp":{}}}"#, now + 300);
        for (headers, reason) in [
            (
                header(TokenOf::Presto.token("another-secret-of-an-engine", "w1", now + 300)),
                "no shared secret of this node made this signature",
            ),
            (
                header(TokenOf::Trino.token("test", "w1", now + 300)),
                "the engine has no internal-communication.shared-secret",
            ),
            (
                header(TokenOf::Trino.token(SECRET, "w1", now - 400)),
                "s ago by this node's clock, which allows 60 s",
            ),
            (
                header(TokenOf::Presto.sign(SECRET, r#"{"alg":"none"}"#, &claims)),
                "its algorithm is not HS256",
            ),
            (header("é".to_owned()), "it is not a JSON Web Token"),
            (header(String::new()), "it is not a JSON Web Token"),
            (good.repeat(2), "only one token"),
            (
                good.clone() + &header(TokenOf::Presto.token(SECRET, "w1", now + 300)),
                "only one token",
            ),
        ] {
            let (status, text) = ask(&server, "PUT /v1/announcement/w1", &headers).await;
            assert_eq!(status, 401, "{headers}");
            assert!(text.contains(reason), "{headers}: {text}");
        }
        // A node id in another case is another node.
        let (status, _) = ask(&server, "PUT /v1/announcement/W1", &good).await;
        assert_eq!(status, 403);
        assert!(!server.backend.lists("w1") && !server.backend.lists("W1"));
    }
}

fn header(token: String) -> String {
    format!("{}: {token}\r\n", TokenOf::Presto.header())
}

/// An engine without a token is accepted from a trusted address, and from any address if tokens are
/// only verified. The address is that of the socket; headers that name another one are ignored.
#[tokio::test(flavor = "multi_thread")]
async fn trusted_addresses_need_no_token() {
    let put = "PUT /v1/announcement/w1";
    for (is_required, trusted, status) in [
        (true, "127.0.0.0/8", 202),
        (true, "10.0.0.0/8", 401),
        (false, "10.0.0.0/8", 202),
    ] {
        let server = server(is_required, &[trusted]).await;
        for headers in [
            "",
            "X-Forwarded-For: 10.0.0.7\r\n",
            "Forwarded: for=10.0.0.7\r\n",
        ] {
            assert_eq!(
                ask(&server, put, headers).await.0,
                status,
                "{trusted} {headers}"
            );
        }
        let statics = ask(&server, "DELETE /v1/announcement/static/7", "").await.0;
        assert_eq!(statics, if is_required { 403 } else { 204 });
    }
}

/// A page in a browser may write with a token that the page itself has. Credentials that the
/// browser adds by itself (`Basic`) do not suffice, because it adds them to requests of other pages
/// too.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_writes_with_its_own_token() {
    let server = TestServer::with(HttpSettings {
        access_tokens: Some(access_tokens()),
        ..HttpSettings::new("test")
    })
    .await;
    let origin = "Origin: http://page\r\n";
    let basic = STANDARD.encode(format!(":{}", token_of_role(2)));
    for (request, done) in [
        ("PUT /v1/announcement/w1", 202),
        ("DELETE /v1/announcement/static/7", 204),
    ] {
        let own = bearer(&token_of_role(2)) + origin;
        assert_eq!(ask(&server, request, &own).await.0, done, "{request}");
        let added = format!("Authorization: Basic {basic}\r\n{origin}");
        for headers in [origin.to_owned(), added] {
            let (status, text) = ask(&server, request, &headers).await;
            assert_eq!(status, 403, "{request} {headers}");
            assert!(text.starts_with("A browser sent this write"), "{text}");
        }
    }
}

/// A write that a browser sends is refused, with and without authentication.
#[tokio::test(flavor = "multi_thread")]
async fn browsers_do_not_write() {
    for server in [TestServer::start().await, server(false, &[]).await] {
        for request in [
            "PUT /v1/announcement/w1",
            "DELETE /v1/announcement/w1",
            "POST /v1/announcement/static",
            "DELETE /v1/announcement/static/7",
        ] {
            for header in ["Origin: http://evil\r\n", "Sec-Fetch-Site: same-origin\r\n"] {
                let headers = token_of("w1") + header;
                let (status, text) = ask(&server, request, &headers).await;
                assert_eq!(status, 403, "{request}");
                assert!(text.starts_with("A browser sent this write"), "{text}");
            }
        }
        assert!(!server.backend.lists("w1"));
        let (status, _) = ask(&server, "GET /v1/service", "Origin: http://evil\r\n").await;
        assert_eq!(status, 200);
    }
}
