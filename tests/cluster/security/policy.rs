//! Tests of the policy by real processes: every route, method and spelling of a path against every
//! kind of client.

use super::fixtures::{enable_https, make_token, trust_client_certificates};
use super::secrets::{OTHER_SECRET, RELOADED_WITHIN, SECRET};
use crate::support::cluster::FORM_LIMIT;
use crate::support::engine_tokens::TokenOf;
use crate::support::engines_secret::token_line;
use crate::support::etc::write;
use crate::support::node::{Node, PATIENCE, announcement};
use crate::support::tls::{TlsTunnel, client_config_with, request_h2};
use crate::support::{Cluster, Options, http, until};
use http_body_util::Full;
use hyper::body::Bytes;
use quorate::clock::wall_ms;
use std::net::{Ipv4Addr, SocketAddr};

/// The address of the clients that need no token.
const TRUSTED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The proof that a route demands of its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Read,
    Write,
    /// To be the engine `w1`.
    OwnNode,
    /// To be a peer on a connection with TLS.
    Peer,
}

/// A kind of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientKind {
    Nobody,
    /// An engine with a secret that the node does not have.
    WrongEngine,
    /// The engine `w1`, with a token that has expired.
    ExpiredEngine,
    /// The engine `w2`.
    OtherEngine,
    /// The engine `w1`.
    Engine,
    TrustedAddress,
    /// A client with the certificate of the engine `w1`, and without a token.
    Certificate,
    /// A client with a certificate of another host, and without a token.
    OtherCertificate,
    /// A person with a token that is not in the file.
    WrongPerson,
    Reader,
    Writer,
    Admin,
}

const CLIENTS: [ClientKind; 12] = [
    ClientKind::Nobody,
    ClientKind::WrongEngine,
    ClientKind::ExpiredEngine,
    ClientKind::OtherEngine,
    ClientKind::Engine,
    ClientKind::TrustedAddress,
    ClientKind::Certificate,
    ClientKind::OtherCertificate,
    ClientKind::WrongPerson,
    ClientKind::Reader,
    ClientKind::Writer,
    ClientKind::Admin,
];

const TRANSPORTS: [Transport; 3] = [Transport::Http, Transport::Https1, Transport::Https2];

const ROUTES: [(&str, &str, Needs); 25] = [
    ("PUT", "/v1/announcement/w1", Needs::OwnNode),
    ("DELETE", "/v1/announcement/w1", Needs::OwnNode),
    ("GET", "/v1/announcement/w1", Needs::OwnNode),
    ("POST", "/v1/announcement/static", Needs::Write),
    ("DELETE", "/v1/announcement/static/7", Needs::Write),
    ("PUT", "/v1/announcement/static", Needs::Write),
    ("GET", "/v1/announcement/static", Needs::Read),
    ("GET", "/v1/service", Needs::Read),
    ("GET", "/v1/service/t", Needs::Read),
    ("GET", "/v1/service/t/p", Needs::Read),
    ("GET", "/v1/service-inventory", Needs::Read),
    ("GET", "/v1/serviceInventory", Needs::Read),
    ("GET", "/v1/cluster/status", Needs::Read),
    ("GET", "/v1/cluster/ready", Needs::Nothing),
    ("OPTIONS", "/v1/announcement/w1", Needs::Nothing),
    ("OPTIONS", "/v1/announcement/static", Needs::Nothing),
    ("OPTIONS", "/v1/service", Needs::Nothing),
    ("GET", "/v1/coordinator", Needs::Nothing),
    ("POST", "/v1/statement", Needs::Nothing),
    ("GET", "/v1/info", Needs::Nothing),
    ("GET", "/ui", Needs::Nothing),
    ("GET", "/", Needs::Nothing),
    ("GET", "/v1/nothing", Needs::Nothing),
    ("GET", "/v1/cluster/peer", Needs::Peer),
    ("POST", "/v1/cluster/peer", Needs::Peer),
];

/// The tokens of the people, by their role.
struct PersonTokens {
    read: String,
    write: String,
    admin: String,
}

impl ClientKind {
    /// Returns the header lines of this client.
    fn headers(self, people: &PersonTokens) -> String {
        let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
        match self {
            ClientKind::Nobody
            | ClientKind::TrustedAddress
            | ClientKind::Certificate
            | ClientKind::OtherCertificate => String::new(),
            ClientKind::WrongEngine => token_line(TokenOf::Trino, OTHER_SECRET, "w1"),
            ClientKind::ExpiredEngine => {
                let token = TokenOf::Presto.token(SECRET, "w1", wall_ms() / 1_000 - 400);
                format!("{}: {token}\r\n", TokenOf::Presto.header())
            }
            ClientKind::OtherEngine => token_line(TokenOf::Presto, SECRET, "w2"),
            ClientKind::Engine => token_line(TokenOf::Trino, SECRET, "w1"),
            ClientKind::WrongPerson => bearer("quorate_AAAA"),
            ClientKind::Reader => bearer(&people.read),
            ClientKind::Writer => bearer(&people.write),
            ClientKind::Admin => bearer(&people.admin),
        }
    }

    /// Returns the name of the certificate that this client shows.
    fn certificate(self) -> Option<&'static str> {
        match self {
            ClientKind::Certificate => Some("client"),
            ClientKind::OtherCertificate => Some("ec"),
            _ => None,
        }
    }

    /// Returns the status with which a client is refused, or `None` if it is not. `closed` says
    /// whether lookups need a proof.
    fn refusal(
        self,
        transport: Transport,
        method: &str,
        needs: Needs,
        closed: bool,
    ) -> Option<u16> {
        use ClientKind::*;
        let client = match (self, transport) {
            (Certificate | OtherCertificate, Transport::Http) => Nobody,
            (Certificate | OtherCertificate, _) if method == "GET" => Nobody,
            (client, _) => client,
        };
        match (needs, client) {
            (Needs::Nothing, _) => None,
            (Needs::Peer, _) => Some(426),
            (Needs::Read, _) if !closed => None,
            (Needs::Read, OtherEngine | Engine | Reader | Writer | Admin) => None,
            (Needs::Read, _) => Some(401),
            (Needs::OwnNode, Nobody | WrongEngine | ExpiredEngine | WrongPerson) => Some(401),
            (Needs::OwnNode, OtherEngine | OtherCertificate | Reader) => Some(403),
            (Needs::OwnNode, Engine | TrustedAddress | Certificate | Writer | Admin) => None,
            (Needs::Write, Writer | Admin) => None,
            (Needs::Write, Reader) => Some(403),
            (Needs::Write, _) => Some(401),
        }
    }
}

/// Returns the spellings of a path that all lead to the same route.
fn spellings(node: &Node, path: &str) -> Vec<String> {
    let mut spellings = vec![path.to_owned(), format!("http://{}{path}", node.address())];
    if let Some(rest) = path.strip_prefix("/v1/") {
        spellings.extend([
            format!("//v1//{rest}"),
            format!("/v1;x=1/{rest};y"),
            format!("{path}/"),
        ]);
    }
    // Only the names in a path may be encoded, as in airlift.
    for (name, encoded) in [("/w1", "/%771"), ("/t", "/%74"), ("/p", "/%70")] {
        let begin = path.strip_suffix(name);
        spellings.extend(begin.map(|begin| format!("{begin}{encoded}")));
    }
    spellings
}

/// The way in which a client reaches the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Http,
    /// HTTPS with HTTP/1.1, through a tunnel.
    Https1,
    /// HTTPS with HTTP/2.
    Https2,
}

/// The addresses of the node for each transport.
struct Addresses {
    http: SocketAddr,
    https: SocketAddr,
    /// A tunnel without a certificate, and one with each certificate that a client shows.
    tunnels: Vec<(Option<&'static str>, TlsTunnel)>,
}

/// Starts one node that demands every proof. Lookups need one if `closed`.
fn start(closed: bool) -> (Cluster, PersonTokens, Addresses) {
    let mut cluster = Cluster::prepare(1, Options::max_age("10m"));
    let node = &mut cluster.nodes[0];
    let made = ["read", "write", "admin"].map(|role| make_token(&format!("a-{role}"), role));
    let file = node.etc.etc_dir().join("tokens");
    write(
        &file,
        &made.each_ref().map(|(_, line)| line.clone()).join("\n"),
    );
    node.set("internal-communication.shared-secret", SECRET);
    node.set("cluster.tokens-file", &file.display().to_string());
    node.set(
        "discovery.announcement.trusted-addresses",
        &TRUSTED.to_string(),
    );
    if closed {
        node.set("discovery.read-authentication", "require");
    }
    let https = enable_https(node);
    trust_client_certificates(node);
    let http = node.address();
    cluster.start_all();
    let [(read, _), (write, _), (admin, _)] = made;
    let people = PersonTokens { read, write, admin };
    cluster.nodes[0].wait_ready(FORM_LIMIT);
    let tunnels = [None, Some("client"), Some("ec")].map(|certificate| {
        let config = client_config_with(&[b"http/1.1"], certificate);
        (certificate, TlsTunnel::with(https, config))
    });
    let addresses = Addresses {
        http,
        https,
        tunnels: tunnels.into(),
    };
    (cluster, people, addresses)
}

impl Addresses {
    /// Returns the tunnel that shows a certificate, or none.
    fn tunnel(&self, certificate: Option<&str>) -> &TlsTunnel {
        let mut tunnels = self.tunnels.iter();
        let found = tunnels.find(|(shown, _)| *shown == certificate);
        &found.expect("a tunnel for each certificate").1
    }

    /// Sends a request of a client, and returns the status and the body of the response.
    fn send(
        &self,
        transport: Transport,
        client: ClientKind,
        headers: &str,
        method: &str,
        path: &str,
    ) -> (u16, String) {
        let body = matches!(method, "PUT" | "POST").then(|| {
            announcement("presto", "w1", 1).replace("http://engine:1", "http://w1.example.org:1")
        });
        let source = match client {
            ClientKind::TrustedAddress => TRUSTED,
            _ => Ipv4Addr::LOCALHOST,
        };
        // Without this, the route answers 426 to every client.
        let upgrade = match path.ends_with("peer") {
            true => "Connection: upgrade\r\nUpgrade: quorate-peer/1\r\n",
            false => "",
        };
        let over_h1 = |to| {
            let headers = &format!("{headers}{upgrade}");
            let sent =
                http::send_from(source, to, method, path, headers, body.as_deref(), PATIENCE);
            let answer = sent.and_then(http::Pending::answer)?;
            Ok((answer.status, answer.body))
        };
        let answered = match transport {
            Transport::Http => over_h1(self.http),
            Transport::Https1 => over_h1(self.tunnel(client.certificate()).address),
            Transport::Https2 => {
                let path = path.strip_prefix("http://").map_or(path, |absolute| {
                    absolute.find('/').map_or("/", |at| &absolute[at..])
                });
                let mut request = ::http::Request::builder()
                    .method(method)
                    .uri(format!("https://{}{path}", self.https))
                    .header("content-type", "application/json");
                for line in headers.lines() {
                    let (name, value) = line.split_once(": ").expect("a header");
                    request = request.header(name, value);
                }
                let body = Full::new(Bytes::from(body.unwrap_or_default()));
                let request = request.body(body).expect("a request");
                let config = client_config_with(&[b"h2"], client.certificate());
                let sent = request_h2(source, self.https, config, request, PATIENCE);
                self.tunnel(None).block_on(sent)
            }
        };
        answered.unwrap_or_else(|error| panic!("{transport:?} {client:?} {method} {path}: {error}"))
    }
}

/// Each client is refused on each route that demands a proof which the client does not give, for
/// every spelling of the path, and on no other route. What is refused is not committed, and the
/// audit log names the client of each change.
#[test]
fn every_route_demands_its_proof_of_every_client() {
    for closed in [false, true] {
        let (cluster, people, addresses) = start(closed);
        let node = &cluster.nodes[0];
        let clients = CLIENTS
            .into_iter()
            .flat_map(|client| TRANSPORTS.map(|transport| (client, transport)));
        for (client, transport) in clients {
            let headers = client.headers(&people);
            for (method, path, needs) in ROUTES {
                for spelling in spellings(node, path) {
                    if (method, needs) == ("DELETE", Needs::OwnNode) {
                        // A certificate proves only that a client is a node that is registered.
                        let (by, headers) = (ClientKind::Admin, ClientKind::Admin.headers(&people));
                        addresses.send(Transport::Http, by, &headers, "PUT", path);
                    }
                    let (status, body) =
                        addresses.send(transport, client, &headers, method, &spelling);
                    let refused = [401, 403, 426].contains(&status).then_some(status);
                    assert_eq!(
                        refused,
                        client.refusal(transport, method, needs, closed),
                        "{transport:?} {client:?} {method} {spelling}, closed={closed}: {body}"
                    );
                }
            }
        }
        let audit = node.etc.data_dir().join("var/log/audit.log");
        for principal in [
            "engine:w1",
            "address:127.0.0.2/32",
            "certificate:10.0.0.7",
            "token:a-write",
            "token:a-admin",
        ] {
            let wanted = format!("\"principal\":\"{principal}\"");
            until(&wanted, PATIENCE, || {
                let text = std::fs::read_to_string(&audit).ok()?;
                let mut changes = text
                    .lines()
                    .filter(|line| line.contains("\"event\":\"change\""));
                changes.any(|line| line.contains(&wanted)).then_some(())
            });
        }
        let text = std::fs::read_to_string(&audit).expect("a file");
        for refused in [
            "engine:w2",
            "certificate:127.0.0.1",
            "token:a-read",
            "\"principal\":\"none\"",
        ] {
            assert!(
                !text.contains(refused),
                "{refused} changed something: {text}"
            );
        }
        for hidden in [SECRET, &people.read, &people.write, &people.admin] {
            assert!(!text.contains(hidden) && !node.log().contains(hidden));
        }
    }
}

/// A token is accepted soon after its line is added to the file, and refused soon after its line is
/// removed. A file that cannot be read changes nothing.
#[test]
fn tokens_are_reloaded() {
    let (cluster, people, addresses) = start(true);
    let node = &cluster.nodes[0];
    let file = node.etc.etc_dir().join("tokens");
    let (next, line) = make_token("next", "write");
    let accepts = |token: &str| {
        let headers = format!("Authorization: Bearer {token}\r\n");
        let path = "/v1/announcement/static/7";
        let sent = addresses.send(
            Transport::Http,
            ClientKind::Writer,
            &headers,
            "DELETE",
            path,
        );
        sent.0 == 204
    };
    assert!(accepts(&people.write) && !accepts(&next));
    write(&file, "ops superuser sha256:0");
    let said = "line 1: the role is none of read, write and admin; the last tokens stay valid";
    until(said, RELOADED_WITHIN, || {
        node.log().contains(said).then_some(())
    });
    assert!(accepts(&people.write));
    write(&file, &line);
    until("the new token is accepted", RELOADED_WITHIN, || {
        (accepts(&next) && !accepts(&people.write)).then_some(())
    });
}
