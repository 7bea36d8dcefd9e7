//! Tests of `quorate bench` against a cluster.

use crate::support::engines_secret::SECRET;
use crate::support::etc::write;
use crate::support::node::BINARY;
use crate::support::secured::enable_https;
use crate::support::tls::fixture;
use crate::support::{Cluster, Options};
use serde_json::Value;
use std::net::SocketAddr;
use std::process::{Command, Output};

fn bench(cluster: &Cluster, arguments: &[&str]) -> Output {
    let servers: Vec<String> = cluster.nodes.iter().map(|node| node.url()).collect();
    bench_at(&servers, arguments)
}

fn bench_at(servers: &[String], arguments: &[&str]) -> Output {
    Command::new(BINARY)
        .args(["bench", "--server", &servers.join(",")])
        .args(["--clients", "6", "--nodes", "20", "--services", "2"])
        .args(["--warm-up", "100ms", "--duration", "1s"])
        .args(arguments)
        .output()
        .expect("it is built")
}

/// Returns the figures of a successful run.
fn figures(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&text).expect("JSON, as it was told")
}

/// A healthy cluster serves each kind of load without an error. The figures match the requested
/// load, and no announcement remains.
#[test]
fn each_load_is_served_and_leaves_nothing() {
    let cluster = Cluster::start(3, Options::default());
    for workload in ["lookup", "change", "renew", "mix"] {
        let figures = figures(&bench(&cluster, &[workload, "--json"]));
        assert_eq!(figures["workload"], workload);
        assert_eq!(
            (&figures["nodes"], &figures["services"]),
            (&20.into(), &40.into())
        );
        let served = figures["served"].as_u64().expect("a number");
        assert!(served > 10, "{figures}");
        let rate = figures["rate_per_second"].as_f64().expect("a number");
        // Rate and count differ slightly, although the load takes one second. The last requests are
        // answered after that second, and requests that ended in the second may have begun before
        // it.
        assert!((rate - served as f64).abs() <= 6.0, "{figures}");
        let latency = |name: &str| figures["latency_ms"][name].as_f64().expect("a number");
        assert!(
            latency("p50") > 0.0 && latency("p50") <= latency("p99"),
            "{figures}"
        );
        assert!(latency("p99") <= latency("max"), "{figures}");
        let left = cluster.nodes[0].lookup("bench").expect("it serves");
        assert!(left.is_empty(), "{left:?}");
    }
}

/// A load with a given rate keeps this rate, even if the cluster could serve more. Latencies are
/// counted from the time at which a request was due.
#[test]
fn a_given_pace_is_kept() {
    let cluster = Cluster::start(3, Options::default());
    let figures = figures(&bench(&cluster, &["lookup", "--rate", "50", "--json"]));
    let served = figures["served"].as_u64().expect("a number");
    assert!((30..=51).contains(&served), "{figures}");
}

/// Over HTTPS, a load of engines that must send tokens is served, and no announcement remains. It
/// needs the authority of the nodes and the secret of the engines, which no output shows.
#[test]
fn a_load_over_https_proves_its_engines() {
    let mut options = Options::default();
    let key = "internal-communication.shared-secret";
    options.settings.push((key, SECRET));
    let mut cluster = Cluster::prepare(3, options);
    let addresses: Vec<SocketAddr> = cluster.nodes.iter_mut().map(enable_https).collect();
    cluster.start_all();
    cluster.wait_serving();
    let servers: Vec<String> = addresses.iter().map(|at| format!("https://{at}")).collect();
    let file = |name: &str, text: &str| {
        let path = cluster.dir().join(name);
        write(&path, text);
        path.display().to_string()
    };
    let right = file(
        "right.secret",
        &format!("{SECRET}\nanother-secret-of-the-engines\n"),
    );
    let wrong = file(
        "wrong.secret",
        &format!("another-secret-of-the-engines\n{SECRET}\n"),
    );
    let authority = fixture("root.pem").display().to_string();
    let run = |options: &[&str]| {
        let output = bench_at(&servers, &[&["mix", "--json"], options].concat());
        let text = [output.stdout.clone(), output.stderr.clone()].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(!text.contains(SECRET), "{text}");
        (output, text)
    };
    let trust = ["--ca-file", &authority];
    let prove = ["--engine-secret-file", &right];
    let (output, _) = run(&[trust, prove].concat());
    let figures = figures(&output);
    assert!(figures["served"].as_u64() > Some(10), "{figures}");
    for (options, expected) in [
        (prove.to_vec(), "invalid peer certificate"),
        (trust.to_vec(), "401"),
        ([trust, ["--engine-secret-file", &wrong]].concat(), "401"),
    ] {
        let (output, text) = run(&options);
        assert_eq!(output.status.code(), Some(19), "{text}");
        assert!(text.contains(expected), "{text}");
    }
    let left = cluster.nodes[0].lookup("bench").expect("it serves");
    assert!(left.is_empty(), "{left:?}");
}

/// `quorate bench` reports errors of the cluster, and errors in its own arguments.
#[test]
fn what_is_wrong_is_told() {
    let cluster = Cluster::start(3, Options::default());
    cluster.nodes[0].announce_acked("taken", "engine", 1);
    let refused = |arguments: &[&str]| {
        let output = bench(&cluster, arguments);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(&["lookup", "--of-type", "taken"]).contains("already announced"));
    assert!(refused(&["lookup", "--server", "http://127.0.0.1:1"]).contains("cannot connect"));
    let https = cluster.nodes[0].url().replace("http:", "https:");
    let text = refused(&["lookup", "--of-type", "other", "--server", &https]);
    assert!(text.contains("cannot open TLS"), "{text}");
    assert!(refused(&["mix", "--mix", "lookup=50"]).contains("add up to 50"));
}
