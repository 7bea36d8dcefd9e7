//! Tests of HTTPS: the answers, the reload of the certificate, and many clients at once.

use super::fixtures::{enable_https, make_token};
use super::secrets::{RELOADED_WITHIN, SECRET, assert_no_secret_logged};
use crate::replay::{ReplayTarget, cases, replay};
use crate::support::cluster::FORM_LIMIT;
use crate::support::etc::write;
use crate::support::many_clients::{raise_descriptors, runtime};
use crate::support::node::PATIENCE;
use crate::support::tls::{TlsTunnel, client_config, connect, fixture, key_store_pem};
use crate::support::{Cluster, Options, http, until};
use quorate::clock;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;

/// Number of clients that reconnect at once.
const CLIENTS: usize = 10_000;
/// Time between two pieces of a handshake.
const PACE: Duration = Duration::from_millis(200);
/// Maximum time until all of them are served.
const SERVED_WITHIN: Duration = Duration::from_secs(15);
/// Maximum latency of other clients meanwhile, at the 99th percentile.
const P99_LIMIT: Duration = Duration::from_millis(100);
/// Maximum growth of a node's memory by as many idle clients.
const GROWTH_LIMIT_KB: u64 = 110_000;
/// Maximum time until freed memory is returned to the system. The allocator returns it over some
/// seconds.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(60);
/// Maximum duration of a handshake that the client does not finish, from the start of its
/// connection.
const CUT_WITHIN: Duration = Duration::from_secs(10);
/// The beginning of a TLS handshake: a record of 512 bytes, whose message is a ClientHello.
const BEGINNING: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
const REQUEST: &[u8] = b"GET /v1/service/none HTTP/1.1\r\nHost: h\r\n\r\n";

/// Starts one node with HTTPS, and returns the address of that port.
fn one_node() -> (Cluster, SocketAddr) {
    let mut cluster = Cluster::prepare(1, Options::max_age("10m"));
    let address = enable_https(&mut cluster.nodes[0]);
    cluster.start_all();
    cluster.nodes[0].wait_ready(FORM_LIMIT);
    (cluster, address)
}

/// Starts three nodes with HTTPS, and returns the addresses of these ports.
fn three_nodes(options: Options) -> (Cluster, Vec<SocketAddr>) {
    let mut cluster = Cluster::prepare(3, options);
    let addresses = cluster.nodes.iter_mut().map(enable_https).collect();
    cluster.start_all();
    cluster.wait_serving();
    (cluster, addresses)
}

/// The answers that airlift's server gave are given over HTTPS too, to a client with a token, while
/// every proof is demanded.
#[test]
fn the_recorded_answers_are_given_over_https_with_tokens() {
    for file in [
        include_str!("../../wire/airlift-wire.json"),
        include_str!("../../wire/rules.json"),
    ] {
        let mut cluster = Cluster::prepare(1, Options::max_age("10m"));
        let node = &mut cluster.nodes[0];
        let (token, line) = make_token("replay", "write");
        let tokens = node.etc.etc_dir().join("tokens");
        write(&tokens, &line);
        node.set("internal-communication.shared-secret", SECRET);
        node.set("cluster.tokens-file", &tokens.display().to_string());
        node.set("discovery.read-authentication", "require");
        let address = enable_https(node);
        cluster.start_all();
        cluster.nodes[0].wait_ready(FORM_LIMIT);
        let tunnel = TlsTunnel::to(address);
        let target = ReplayTarget {
            server: tunnel.address,
            scheme: "https",
            headers: &format!("Authorization: Bearer {token}\r\n"),
        };
        let differences = replay(&target, &cases(file));
        assert!(
            differences.is_empty(),
            "{} differences:\n{}",
            differences.len(),
            differences.join("\n")
        );
        assert_no_secret_logged(&cluster.nodes);
        assert!(!cluster.nodes[0].log().contains(&token));
    }
}

/// Commands reach a node over HTTPS if they trust its authority and send a token. The inventory
/// over HTTPS has the addresses for HTTPS only, and the one over HTTP those for HTTP only.
#[test]
fn commands_and_the_inventory_use_https() {
    let mut cluster = Cluster::prepare(1, Options::max_age("10m"));
    let node = &mut cluster.nodes[0];
    let (token, line) = make_token("ops", "read");
    let etc = node.etc.etc_dir();
    write(&etc.join("tokens"), &line);
    write(&etc.join("token"), &token);
    node.set("cluster.shared-secret", SECRET);
    node.set("cluster.tokens-file", "etc/tokens");
    node.set("discovery.read-authentication", "require");
    let address = enable_https(node);
    cluster.start_all();
    cluster.nodes[0].wait_ready(FORM_LIMIT);
    let server = format!("https://{address}");
    let (authority, token_file) = (fixture("root.pem"), etc.join("token"));
    let run = |options: &[(&str, &Path)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command.args(["services", "--timeout", "3s", "--server", &server]);
        for (option, path) in options {
            command.arg(option).arg(path);
        }
        let ended = command.output().expect("the command runs");
        let text = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
        (ended.status.code(), text)
    };
    let (trust, prove) = (("--ca-file", &*authority), ("--token-file", &*token_file));
    until("the node announces itself", FORM_LIMIT, || {
        let (code, text) = run(&[trust, prove]);
        assert_eq!(code, Some(0), "{text}");
        text.contains(&server).then_some(())
    });
    let (code, text) = run(&[trust]);
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("discovery.read-authentication is require"),
        "{text}"
    );
    let (code, text) = run(&[prove]);
    assert_eq!(code, Some(19), "{text}");

    let tunnel = TlsTunnel::to(address);
    let header = format!("Authorization: Bearer {token}\r\n");
    let properties = |to| {
        let path = "/v1/service-inventory";
        let sent = http::send_with(to, "GET", path, &header, None, PATIENCE);
        let answer = sent.and_then(http::Pending::answer).expect("an answer");
        let inventory: Value = serde_json::from_str(&answer.body).expect("JSON");
        inventory["services"][0]["properties"].clone()
    };
    assert_eq!(properties(tunnel.address), json!({"https": server}));
    let url = cluster.nodes[0].url();
    assert_eq!(properties(cluster.nodes[0].address()), json!({"http": url}));
}

/// A new certificate is shown to new connections soon after its file has changed. Connections with
/// the old one stay open. A file that cannot be used changes nothing.
#[test]
fn a_certificate_is_replaced_while_clients_are_connected() {
    let (cluster, address) = one_node();
    let node = &cluster.nodes[0];
    let file = node.etc.etc_dir().join("https.pem");
    let runtime = runtime();
    let open = || connect(Ipv4Addr::LOCALHOST, address, client_config(&[b"http/1.1"]));
    let mut kept = runtime
        .block_on(open())
        .expect("the certificate is trusted");
    runtime.block_on(ask(&mut kept));

    write(&file, "-----BEGIN CERTIFICATE-----\nbroken\n");
    let said = "the last stores stay valid";
    until(said, RELOADED_WITHIN, || {
        node.log().contains(said).then_some(())
    });
    runtime.block_on(open()).expect("the old certificate stays");

    // The other certificate is for another name, so the clients of this test refuse it.
    write(&file, &key_store_pem("rsa"));
    until("the new certificate", RELOADED_WITHIN, || {
        let refused = runtime.block_on(open()).err()?;
        refused
            .to_string()
            .contains("not valid for name")
            .then_some(())
    });
    runtime.block_on(ask(&mut kept));
    write(&file, &key_store_pem("ec"));
    until("the old certificate again", RELOADED_WITHIN, || {
        runtime.block_on(open()).ok().map(|_| ())
    });
    runtime.block_on(ask(&mut kept));
    assert!(node.log().contains("the stores of HTTPS have changed"));
}

/// The port for HTTPS refuses plain HTTP with a reason. Handshakes that are silent, half, in
/// pieces, or without an end are cut within 10 s, and harm neither other clients nor the leader.
#[test]
fn unfinished_https_handshakes_harm_nobody() {
    const EACH: usize = 200;
    let (cluster, addresses) = three_nodes(Options::max_age("10m"));
    let leader = cluster.leader();
    let node = &cluster.nodes[leader];
    let term = || node.status().expect("a status")["term"].clone();
    let before = term();
    // A connection without a byte, as of a health check, is no refusal.
    drop(std::net::TcpStream::connect(addresses[leader]).expect("it accepts"));
    let refused = "refused 127.0.0.1: plain HTTP on the port for HTTPS";
    let runtime = runtime();
    runtime.block_on(async {
        let client = connect(Ipv4Addr::LOCALHOST, addresses[leader], client_config(&[]));
        ask(&mut client.await.expect("it is served")).await;
    });
    assert!(!node.log().contains(refused));
    let plain = http::request(addresses[leader], "GET", "/v1/service", None, PATIENCE);
    let plain = plain.expect("an answer");
    assert_eq!(
        (plain.status, plain.body.as_str()),
        (400, "This port is only for HTTPS.\n")
    );
    until(refused, FORM_LIMIT, || {
        node.log().contains(refused).then_some(())
    });
    runtime.block_on(async {
        let began = clock::now();
        let mut unfinished = JoinSet::new();
        for i in 0..4 * EACH {
            let address = addresses[leader];
            unfinished.spawn(async move {
                let mut stream = TcpStream::connect(address).await.expect("it accepts");
                let hello = client_hello();
                let pieces: Vec<&[u8]> = match i % 4 {
                    0 => Vec::new(),
                    1 => vec![BEGINNING],
                    2 => BEGINNING.chunks(1).collect(),
                    _ => vec![&hello],
                };
                for piece in pieces {
                    if stream.write_all(piece).await.is_err() {
                        break;
                    }
                    // The node sends nothing, so this only waits between two pieces.
                    let _ = tokio::time::timeout(PACE, stream.readable()).await;
                }
                let mut rest = Vec::new();
                let read = tokio::time::timeout(CUT_WITHIN, stream.read_to_end(&mut rest)).await;
                assert!(read.is_ok(), "client {i} is not cut");
            });
        }
        for _ in 0..20 {
            let client = connect(
                Ipv4Addr::LOCALHOST,
                addresses[leader],
                client_config(&[b"http/1.1"]),
            );
            let client = tokio::time::timeout(PATIENCE, client).await;
            let client = client.expect("others are served in time");
            ask(&mut client.expect("others are served")).await;
        }
        while let Some(ended) = unfinished.join_next().await {
            ended.expect("it is cut");
        }
        let took = clock::now().duration_since(began);
        println!("{} handshakes were cut within {took:?}", 4 * EACH);
        assert!(took < CUT_WITHIN + Duration::from_secs(1), "{took:?}");
    });
    assert_eq!(term(), before, "a leader was lost");
}

/// The first messages of 2,000 handshakes that arrive at once do not delay other clients.
#[test]
fn a_burst_of_handshakes_delays_nobody() {
    const BURST: usize = 2_000;
    raise_descriptors();
    let (cluster, address) = one_node();
    let node = &cluster.nodes[0];
    let runtime = runtime();
    let hello = client_hello();
    let mut clients = runtime.block_on(async {
        let mut connecting = JoinSet::new();
        for i in 0..BURST {
            connecting.spawn(async move {
                let socket = TcpSocket::new_v4().expect("a socket");
                socket.bind((source(i), 0).into()).expect("a free port");
                socket.connect(address).await.expect("it accepts")
            });
        }
        connecting.join_all().await
    });
    for client in &mut clients {
        let sent = client.try_write(&hello);
        assert_eq!(sent.expect("the socket is empty"), hello.len());
    }
    let mut longest = Duration::ZERO;
    let mut unanswered: Vec<&TcpStream> = clients.iter().collect();
    until("all are answered", SERVED_WITHIN, || {
        let sent = clock::now();
        let answer = http::request(node.address(), "GET", "/v1/service/none", None, PATIENCE);
        assert_eq!(answer.expect("others are served").status, 200);
        longest = longest.max(sent.elapsed());
        unanswered.retain(|client| !matches!(client.try_read(&mut [0; 16]), Ok(1..)));
        unanswered.is_empty().then_some(())
    });
    println!("{BURST} first messages: others waited {longest:?} at most");
    assert!(longest < P99_LIMIT, "others waited {longest:?}");
}

/// 10,000 clients that connect at once are all served within 15 s. Meanwhile no leader is lost, and
/// other clients are served. The connections then take at most 110 MB while they are idle.
#[cfg(target_os = "linux")]
#[test]
fn ten_thousand_clients_connect_at_once() {
    raise_descriptors();
    let (cluster, addresses) = three_nodes(Options::max_age("10m").alone());
    let leader = cluster.leader();
    let node = &cluster.nodes[leader];
    let term = || node.status().expect("a status")["term"].clone();
    let (address, config) = (addresses[leader], client_config(&[b"http/1.1"]));
    let runtime = runtime();
    // The code for TLS is read into memory once, whatever the number of clients.
    drop(runtime.block_on(connected(address, config.clone(), 100)));
    let (before, before_kb) = (term(), node.resident_kb());
    let began = clock::now();
    let connecting = runtime.spawn(connected(address, config, CLIENTS));
    let mut took = Vec::new();
    while !connecting.is_finished() {
        let sent = clock::now();
        let answer = http::request(node.address(), "GET", "/v1/service/none", None, PATIENCE);
        assert_eq!(answer.expect("others are served").status, 200);
        took.push(sent.elapsed());
    }
    let served_within = began.elapsed();
    let clients = runtime.block_on(connecting).expect("no panic");
    took.sort();
    let p99 = took[took.len() * 99 / 100];
    let grown_kb = || node.resident_kb().saturating_sub(before_kb);
    println!(
        "{CLIENTS} TLS clients: served within {served_within:?}, p99 of {} others {p99:?}, \
         {} kB at first",
        took.len(),
        grown_kb()
    );
    let left_kb = until("the buffers are given back", GIVEN_BACK_WITHIN, || {
        (grown_kb() <= GROWTH_LIMIT_KB).then(grown_kb)
    });
    println!("{left_kb} kB left");
    assert!(served_within < SERVED_WITHIN, "{served_within:?}");
    assert!(p99 < P99_LIMIT, "p99 of others {p99:?}");
    assert_eq!(term(), before, "a leader was lost");
    runtime.block_on(async {
        for mut client in clients {
            ask(&mut client).await;
        }
    });
}

/// Returns the first message of a client, which the client never continues.
fn client_hello() -> Vec<u8> {
    let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
    let mut client = ClientConnection::new(client_config(&[b"http/1.1"]), name).expect("a client");
    let mut hello = Vec::new();
    client.write_tls(&mut hello).expect("to memory");
    hello
}

/// Connects this many clients at once. Each client sends one request and reads the answer.
async fn connected(
    node: SocketAddr,
    config: Arc<rustls::ClientConfig>,
    clients: usize,
) -> Vec<TlsStream<TcpStream>> {
    let mut connecting = JoinSet::new();
    for i in 0..clients {
        let config = config.clone();
        connecting.spawn(async move {
            let mut client = connect(source(i), node, config)
                .await
                .expect("it is served");
            ask(&mut client).await;
            client
        });
    }
    connecting.join_all().await
}

/// Returns the address of a client. There are several, because a node limits the connections of one
/// address that have not sent a request yet.
fn source(client: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, (client % 50) as u8 + 1)
}

/// Sends a request and reads the answer.
async fn ask(client: &mut TlsStream<TcpStream>) {
    client.write_all(REQUEST).await.expect("the node reads");
    let mut answer = Vec::new();
    // The body is a JSON object on a single line, so the answer ends with these bytes.
    while !answer.ends_with(b"]}\n") {
        let read = client.read_buf(&mut answer).await.expect("an answer");
        assert!(read > 0, "cut: {}", String::from_utf8_lossy(&answer));
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}
