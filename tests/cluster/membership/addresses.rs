//! Tests of the addresses that a node listens on, and of the address that it announces.

use crate::support::cluster::FORM_LIMIT;
use crate::support::etc::write;
use crate::support::network::{enclose, inside};
use crate::support::node::{BINARY, Node, PATIENCE};
use crate::support::preloaded::preload;
use crate::support::{Cluster, Options, http, until};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// Prepares a node, which does not run, that is a group of its own. `lines` replace the line
/// `node.bind-ip` of node.properties.
fn single(lines: &str) -> Cluster {
    let mut cluster = Cluster::prepare(1, Options::default());
    let node = &mut cluster.nodes[0];
    node.etc.inventory.clear();
    node.etc.write();
    let path = node.etc.etc_dir().join("node.properties");
    let text = fs::read_to_string(&path).expect("it was written");
    write(&path, &text.replace("node.bind-ip=127.0.0.1\n", lines));
    cluster
}

/// Waits for the log line that contains the address that the node announces, and returns that
/// address.
fn address(node: &Node) -> String {
    until("it has started", FORM_LIMIT, || {
        let log = node.log();
        let line = log.lines().find(|line| line.contains(" started "))?;
        let (_, rest) = line.split_once("address=\"")?;
        Some(rest.split('"').next()?.to_owned())
    })
}

/// A node without node.bind-ip answers over IPv4 and IPv6. For a client over IPv4, the access log
/// shows the client's IPv4 address.
#[test]
fn a_node_answers_over_both_families() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let mut cluster = single("");
    let node = &mut cluster.nodes[0];
    node.start();
    node.wait_serving(FORM_LIMIT);
    for (ip, written) in [
        (IpAddr::V4(Ipv4Addr::LOCALHOST), "127.0.0.1"),
        (IpAddr::V6(Ipv6Addr::LOCALHOST), "::1"),
    ] {
        let to = SocketAddr::new(ip, node.etc.port);
        let path = format!("/v1/service/asked-by-{}", ip.is_ipv4());
        let answer = http::request(to, "GET", &path, None, PATIENCE).expect("it answers");
        assert_eq!(answer.status, 200);
        let log = node.etc.data_dir().join("var/log/http-request.log");
        until("the line of the access log", FORM_LIMIT, || {
            let log = fs::read_to_string(&log).ok()?;
            let line = log.lines().find(|line| line.contains(&path))?;
            assert_eq!(line.split('\t').nth(1), Some(written), "{line}");
            Some(())
        });
    }
}

/// A node starts and answers over IPv4 on a machine without IPv6. In the first case IPv6 is
/// disabled, in the second case it does not exist.
#[test]
fn a_node_starts_without_ipv6() {
    let disable = "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6";
    for (commands, is_absent) in [(disable, false), ("true", true)] {
        let mut cluster = single("");
        let node = &mut cluster.nodes[0];
        if is_absent {
            preload(node, "no_ipv6.c");
        }
        if let Err(reason) = enclose(node, commands) {
            eprintln!("skipped: no network of its own: {reason}");
            return;
        }
        answers_over_ipv4_alone(node);
    }
}

fn answers_over_ipv4_alone(node: &mut Node) {
    node.start();
    // The node has only the loopback address, so it announces that address. At least this machine
    // can reach the node there.
    let port = node.etc.port;
    assert_eq!(address(node), format!("http://127.0.0.1:{port}"));
    let server = format!("127.0.0.1:{port}");
    let words = [BINARY, "cluster", "--wait-ready", "--server", &server];
    assert_eq!(inside(node, &words), "ready\n");
}

/// A node that is a group of its own announces an address at which other machines can reach it.
/// airlift's rules select the address, which is written in the form of a URI.
#[test]
fn a_lone_node_says_where_others_reach_it() {
    let device = "ip link add d0 type veth peer name d1; ip link set d0 up; ip link set d1 up";
    let v4 = "ip addr add 10.77.0.5/24 dev d0";
    // `nodad`: without duplicate address detection, the address can be used immediately.
    let v6 = "ip addr add 2001:db8:77::5/64 dev d0 nodad";
    for (lines, addresses, host) in [
        ("", format!("{device}; {v4}; {v6}"), "10.77.0.5"),
        ("", format!("{device}; {v6}"), "[2001:db8:77::5]"),
        (
            "node.prefer-ipv6-address=true\n",
            format!("{device}; {v4}; {v6}"),
            "[2001:db8:77::5]",
        ),
        (
            "node.bind-ip=::\n",
            format!("{device}; {v4}; {v6}"),
            "10.77.0.5",
        ),
        (
            "node.internal-address-source=IP_ENCODED_AS_HOSTNAME\n",
            format!("{device}; {v4}; {v6}"),
            "10-77-0-5.ip",
        ),
        (
            "node.internal-address=2001:db8:77::5\n",
            format!("{device}; {v6}"),
            "[2001:db8:77::5]",
        ),
        (
            "node.bind-ip=127.0.0.1\n",
            format!("{device}; {v4}"),
            "127.0.0.1",
        ),
        ("node.bind-ip=::1\n", format!("{device}; {v4}"), "[::1]"),
        ("", device.to_owned(), "127.0.0.1"),
    ] {
        let mut cluster = single(lines);
        let node = &mut cluster.nodes[0];
        if let Err(reason) = enclose(node, &addresses) {
            eprintln!("skipped: no network of its own with an interface: {reason}");
            return;
        }
        node.start();
        let port = node.etc.port;
        assert_eq!(address(node), format!("http://{host}:{port}"), "{lines}");
        if lines.is_empty() || lines.contains("prefer") {
            let server = format!("{host}:{port}");
            let words = [
                BINARY,
                "services",
                "discovery",
                "--json",
                "--server",
                &server,
            ];
            let announced = until("it announces itself", FORM_LIMIT, || {
                Some(inside(node, &words)).filter(|said| said.contains("\"discovery\""))
            });
            for property in ["http", "http-external"] {
                let expected = format!("\"{property}\":\"http://{host}:{port}\"");
                assert!(announced.contains(&expected), "{announced}");
            }
        }
    }
}
