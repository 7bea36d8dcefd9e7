//! Tests of the configuration from an operator's view: whole `etc/` directories produce settings or
//! a list of all errors.

use quorate::config::{CommandLine, LogLevel, exit_code, inventory_source, load};
use std::fs;
use std::path::Path;

mod https;
mod installation;
mod security;
mod values;

use installation::{CONFIG, Installation, with_config};

const INVENTORY: &str = r#"{"environment": "test", "services": [
  {"id": "C8A9EE64-0476-452C-8638-8E72F3EE3CA6", "nodeId": "597A741E-9968-40E2-BB4D-7AF26DE18689",
   "type": "discovery", "pool": "general", "location": "/172.17.31.245", "state": "RUNNING",
   "properties": {"http": "http://172.17.31.245:8411"}},
  {"id": "370AF416-5F44-47D3-BFB6-D93A92676D49", "nodeId": "0BA42FDB-5DBA-4A2C-BE26-9596B7B4368E",
   "type": "discovery", "pool": "general", "location": "/172.17.31.246", "state": "RUNNING",
   "properties": {"http": "http://172.17.31.246:8411"}}]}
"#;

/// The etc/ directory of a pair of airlift's discovery servers starts a node. The settings, the log
/// levels and the node's entry in the inventory are read.
#[tokio::test]
async fn an_airlift_directory_loads() {
    let installation = Installation::new(&[
        ("config.properties", CONFIG),
        (
            "node.properties",
            "node.data-dir=/nowhere/data\nnode.location=/rack/1\n",
        ),
        ("jvm.config", "-Xmx1G\n-XX:+UseG1GC\n"),
        (
            "log.properties",
            "io.airlift=INFO\ncom.example.unknown=DEBUG\n",
        ),
        ("service-inventory.json", INVENTORY),
    ]);
    let uri = format!(
        "file://{}/service-inventory.json",
        installation.etc().display()
    );
    installation.write(
        "config.properties",
        &CONFIG.replace("file:///srv/discovery/etc/service-inventory.json", &uri),
    );

    let settings = installation.load();
    assert_eq!(settings.environment, "test");
    assert_eq!(settings.http_port, 8411);
    assert_eq!(
        settings.node_id.as_deref(),
        Some("597A741E-9968-40E2-BB4D-7AF26DE18689")
    );
    assert_eq!(settings.location.as_deref(), Some("/rack/1"));
    assert_eq!(settings.data_dir, Path::new("/nowhere/data"));
    assert_eq!(settings.log.levels.get("io.airlift"), Some(&LogLevel::Info));
    assert_eq!(
        settings.access_log.path,
        Path::new("/nowhere/data/var/log/http-request.log")
    );
    assert_eq!(settings.notices, Vec::<String>::new());

    let inventory = inventory_source::fetch(&settings.inventory_uri.expect("given"), &[])
        .await
        .expect("valid");
    inventory
        .require_environment(&settings.environment)
        .expect("the same");
    assert_eq!(
        inventory
            .own("597A741E-9968-40E2-BB4D-7AF26DE18689")
            .expect("listed")
            .address,
        "http://172.17.31.245:8411"
    );
}

/// [`CONFIG`], a config.properties that users of airlift have, loads. Every setting that is not in
/// [`CONFIG`] has its default.
#[test]
fn defaults() {
    let settings = with_config(CONFIG).load();
    assert_eq!(
        settings.inventory_uri.as_deref(),
        Some("file:/srv/discovery/etc/service-inventory.json")
    );
    assert_eq!(settings.pool, "general");
    assert_eq!(
        (
            settings.max_age_ms,
            settings.recovery_gap_ms,
            settings.recovery_grace_ms
        ),
        (30_000, 5_000, 30_000)
    );
    assert_eq!(
        (
            settings.heartbeat_ms,
            settings.election_min_ms,
            settings.election_max_ms
        ),
        (100, 300, 500)
    );
    assert_eq!(settings.max_announcement_bytes, 1 << 20);
    assert_eq!(settings.max_header_bytes, None);
    assert!(settings.auto_rejoin && settings.log.console && settings.access_log.enabled);
    assert_eq!(settings.log.path, None);
}

/// All errors are reported at once, in the order of the files. Each has one line with file, line
/// number and key.
#[test]
fn all_errors_at_once() {
    let installation = Installation::new(&[
        (
            "config.properties",
            "node.environment=Test\n\
             http-server.http.port=84x1\n\
             http-server.https.enabled=true\n\
             discovery.max-agee=3s\n\
             discovery.max-age=3 parsecs\n\
             node.data-dir=/data\n\
             nonsense\n\
             node.ip=10.0.0.1\n\
             node.internal-address=10.0.0.2\n\
             log.path=${ENV:QUORATE_TEST_UNSET}/server.log\n\
             service-inventory.uri=/etc/service-inventory.json\n\
             dynamic.store.gc-interval=soon\n\
             jetty.ip=10.0.0.1\n\
             cluster.election-timeout=200ms\n\
             cluster.auto-rejoin=yes\n\
             http-server.https.automatic-shared-secret=hush\n\
             node.location=\\u12\n",
        ),
        ("node.properties", "node.id=-a\n"),
        ("log.properties", "io.airlift=LOUD\n"),
    ]);
    let expected = include_str!("all-errors.txt").trim_end();
    assert_eq!(installation.errors(), expected);
}

/// Known settings without effect are accepted, and each is reported once. Old names, repeated
/// settings and ignored values are reported too.
#[test]
fn notices() {
    let installation = Installation::new(&[
        (
            "config.properties",
            "node.environment=test\nnode.id=a\nnode.ip=10.0.0.1\ndiscovery.uri=http://h\n\
             http-server.threads.max=500\n\
             dynamic.http-client.connect-timeout=5s\nhttp-server.http.port=1\n\
             http-server.http.port=2\nhttp-server.https.enabled=false\n",
        ),
        (
            "node.properties",
            "discovery.max-agee=3s\nsomething.else=1\n",
        ),
    ]);
    let settings = installation.load();
    assert_eq!(settings.http_port, 2);
    assert_eq!(
        settings
            .internal_address
            .map(|host| host.to_string())
            .as_deref(),
        Some("10.0.0.1")
    );
    let notices: Vec<String> = settings
        .notices
        .iter()
        .map(|notice| installation.cut(notice))
        .collect();
    assert_eq!(
        notices,
        [
            "config.properties:8: 'http-server.http.port' is set again \
             (first at config.properties:7); this value is used",
            "node.properties:1: 'discovery.max-agee' is not known and is ignored. \
             Did you mean to use 'discovery.max-age', \
             'discovery.max-announcement-size' or 'discovery.recovery-gap'?",
            "node.properties:2: 'something.else' is not known and is ignored",
            "config.properties:3: Configuration property 'node.ip' has been replaced. \
             Use 'node.internal-address' instead.",
            "these configuration properties are accepted but have no effect: \
             discovery.uri, dynamic.http-client.connect-timeout, \
             http-server.threads.max",
        ]
    );
}

/// `-D` overrides node.properties, which overrides config.properties. `--data-dir` overrides
/// node.data-dir.
#[test]
fn later_sources_win() {
    let installation = Installation::new(&[
        (
            "config.properties",
            "node.environment=config\nnode.id=config\nnode.pool=config\n",
        ),
        (
            "node.properties",
            "node.id=node\nnode.pool=node\nnode.data-dir=/nowhere/node\n",
        ),
    ]);
    let mut options = installation.options();
    options.properties = vec![
        ("node.pool".into(), "option".into()),
        ("unknown".into(), "x".into()),
    ];
    let settings = load(&options).expect("valid");
    assert_eq!(
        (
            settings.environment.as_str(),
            settings.node_id.as_deref(),
            settings.pool.as_str()
        ),
        ("config", Some("node"), "option")
    );
    assert_eq!(settings.data_dir, Path::new("/nowhere/node"));
    options.data_dir = Some("/nowhere/option".into());
    assert_eq!(
        load(&options).expect("valid").data_dir,
        Path::new("/nowhere/option")
    );
}

/// Without a configured data directory, the directory above etc/ is the data directory. Relative
/// paths start in the data directory, except that a leading etc/ means the configuration's
/// directory.
#[test]
fn paths_start_in_the_data_directory() {
    let installation = with_config(
        "node.environment=test\nlog.path=var/log/x.log\nhttp-server.log.path=/abs/y.log\n\
         service-inventory.uri=file:etc/service-inventory.json\n\
         log.levels-file=etc/levels.properties\n",
    );
    installation.write("levels.properties", "io.airlift=warn\n");
    let mut options = installation.options();
    let settings = load(&options).expect("valid");
    assert_eq!(settings.data_dir, installation.path());
    assert_eq!(
        settings.log.path,
        Some(installation.path().join("var/log/x.log"))
    );
    assert_eq!(settings.access_log.path, Path::new("/abs/y.log"));
    options.data_dir = Some("/nowhere/data".into());
    let settings = load(&options).expect("valid");
    assert_eq!(
        settings.log.path.as_deref(),
        Some(Path::new("/nowhere/data/var/log/x.log"))
    );
    assert_eq!(settings.log.levels.get("io.airlift"), Some(&LogLevel::Warn));
    assert_eq!(
        settings.inventory_uri,
        Some(format!(
            "file:{}/etc/service-inventory.json",
            installation.path().display()
        ))
    );
}

/// A detached server logs to its log file, because no operator sees its console. A log file that
/// the operator has configured is kept.
#[test]
fn a_detached_server_logs_to_a_file() {
    let installation = with_config("node.environment=test\n");
    let mut options = installation.options();
    options.detached = true;
    let settings = load(&options).expect("valid");
    assert_eq!(
        settings.log.path,
        Some(installation.path().join("var/log/server.log"))
    );
    assert!(!settings.log.console);
    installation.write(
        "config.properties",
        "node.environment=test\nlog.output-file=mine.log\n",
    );
    assert_eq!(
        load(&options).expect("valid").log.path,
        Some(installation.path().join("mine.log"))
    );
    options.server_log_file = Some("/nowhere/server.log".into());
    assert_eq!(
        load(&options).expect("valid").log.path,
        Some("/nowhere/server.log".into())
    );
}

/// A file that is missing, is a directory, or is too large is reported with this reason. Errors
/// that only follow from the unreadable file are not reported.
#[test]
fn unreadable_files() {
    let installation = Installation::new(&[]);
    assert_eq!(
        installation.errors(),
        "config.properties: cannot be read: No such file or directory (os error 2)"
    );
    fs::create_dir(installation.etc().join("config.properties")).expect("creates");
    assert_eq!(
        installation.errors(),
        "config.properties: cannot be read: Is a directory (os error 21)"
    );
    fs::remove_dir(installation.etc().join("config.properties")).expect("removes");
    installation.write("config.properties", &"#".repeat((1 << 20) + 1));
    assert_eq!(
        installation.errors(),
        "config.properties: cannot be read: it is larger than 1048576 bytes"
    );

    installation.write("config.properties", "node.environment=test\n");
    installation.write("node.properties", "node.id\n");
    assert_eq!(
        installation.errors(),
        "node.properties:1: `node.id` is not of the form key=value"
    );
    let mut options = installation.options();
    options.node_config = Some("/nowhere/node.properties".into());
    let error = load(&options)
        .expect_err("given, so it must be there")
        .to_string();
    assert_eq!(
        error,
        "/nowhere/node.properties: cannot be read: No such file or directory (os error 2)"
    );
    fs::remove_file(installation.etc().join("node.properties")).expect("removes");
    options = installation.options();
    options.log_levels_file = Some("/nowhere/log.properties".into());
    let error = load(&options)
        .expect_err("given, so it must be there")
        .to_string();
    assert_eq!(
        error,
        "/nowhere/log.properties: cannot be read: No such file or directory (os error 2)"
    );
}

/// An empty file is reported to lack the one required key. Values of any length and with any bytes
/// lead to a short error.
#[test]
fn hostile_files() {
    assert_eq!(
        with_config("").errors(),
        "config.properties: Invalid configuration property node.environment: is missing"
    );
    assert_eq!(
        with_config("node.environment=\n").errors(),
        "config.properties:1: Invalid configuration property node.environment: is empty"
    );
    let long = with_config(&format!(
        "node.environment=test\nnode.id={}\n",
        "a".repeat(10_000)
    ));
    assert!(long.errors().len() < 300);
    let long = with_config(&format!(
        "node.environment=test\n{}=1\n",
        "a".repeat(10_000)
    ));
    assert!(long.errors().len() < 300);
    let installation = with_config("");
    fs::write(
        installation.etc().join("config.properties"),
        b"node.environment=test\nnode.location=/caf\xe9\n",
    )
    .expect("writes");
    assert_eq!(
        installation.load().location.as_deref(),
        Some("/caf\u{e9}"),
        "Latin-1, as Java reads it"
    );
    fs::write(
        installation.etc().join("config.properties"),
        [0, 0xff, b'\n', b'=', 0],
    )
    .expect("writes");
    assert!(installation.errors().contains("was not used"));
}

/// An empty `node.id` is refused, because a random id in its place would give this node another
/// identity. An empty data directory is refused too.
#[test]
fn empty_values() {
    let installation = with_config("node.environment=test\nnode.id=\n");
    assert_eq!(
        installation.errors(),
        "config.properties:2: Invalid configuration property node.id: is empty"
    );
    installation.write("node.properties", "node.data-dir=\n");
    assert_eq!(installation.errors(), "node.data-dir: is empty");
    installation.write(
        "node.properties",
        "node.data-dir=${ENV:QUORATE_TEST_UNSET}/x\n",
    );
    assert_eq!(
        installation.errors(),
        "node.data-dir: references unset environment variable 'QUORATE_TEST_UNSET'"
    );
}

/// A byte order mark and Windows line ends have no effect.
#[test]
fn files_of_windows() {
    let settings = with_config("\u{feff}node.environment=test\r\nnode.id=a\r\n").load();
    assert_eq!(settings.environment, "test");
    assert_eq!(settings.node_id.as_deref(), Some("a"));
}

/// A levels file in its default place has precedence over a levels file that a property names, as
/// in airlift. A notice reports that the property is ignored.
#[test]
fn the_usual_levels_file_wins() {
    let installation =
        with_config("node.environment=test\nnode.id=a\nlog.levels-file=etc/other.properties\n");
    installation.write("log.properties", "io.airlift=ERROR\n");
    let settings = installation.load();
    assert_eq!(
        settings.log.levels.get("io.airlift"),
        Some(&LogLevel::Error)
    );
    let notice = settings.notices.first().expect("said");
    assert!(
        notice.starts_with("log.levels-file is ignored: "),
        "{notice}"
    );
    assert!(notice.ends_with("etc/log.properties exists"), "{notice}");
}

/// Values that contradict one another are refused at start.
#[test]
fn relations() {
    let refused = |line: &str| with_config(&format!("node.environment=test\n{line}\n")).errors();
    assert_eq!(
        refused("discovery.recovery-gap=5s\ncluster.election-timeout=3s"),
        "config.properties:2: Invalid configuration property discovery.recovery-gap: 5000ms is \
         less than two elections \
         (5000ms each, 5/3 of cluster.election-timeout)"
    );
    assert!(
        refused("cluster.heartbeat-interval=101ms")
            .contains("cluster.election-timeout: 300ms is less than three times")
    );
    assert!(
        refused("discovery.max-age=0s")
            .contains("discovery.max-age: '0s' is not between 1000ms and 86400000ms")
    );
    assert!(
        refused("discovery.max-announcement-size=1GB").contains("discovery.max-announcement-size")
    );
    for bad in ["512B", "2MB", "16", "-1kB"] {
        let line = format!("http-server.max-request-header-size={bad}");
        assert!(refused(&line).contains("http-server.max-request-header-size"));
    }
    assert!(
        refused("http-server.http.port=65536")
            .contains("http-server.http.port: 65536 is not between 0 and 65535")
    );
    assert!(refused("http-server.http.enabled=false").contains("http-server.http.enabled"));
    assert!(refused("node.bind-ip=node1").contains("node.bind-ip: 'node1' is not an IP address"));
    assert!(refused("node.internal-address=http://node1:80").contains("node.internal-address"));
    assert!(
        refused("log.path=tcp://h:1").contains("log.path: logging to a socket is not supported")
    );
    assert!(
        refused("http-server.auth.users-file=users")
            .contains("http-server.auth.users-file=users: engines cannot send a password")
    );
}

/// The example configuration in etc/ is valid without changes, and each of its three nodes finds
/// itself in the inventory.
#[tokio::test]
async fn the_example_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (node, port) in [("node1", 8411), ("node2", 8412), ("node3", 8413)] {
        let options = CommandLine {
            etc_dir: Some(root.join("etc")),
            data_dir: Some("/nowhere".into()),
            properties: vec![
                ("node.id".into(), node.into()),
                ("http-server.http.port".into(), port.to_string()),
            ],
            ..CommandLine::default()
        };
        let settings = load(&options).unwrap_or_else(|errors| panic!("{errors}"));
        let inventory = inventory_source::fetch(&settings.inventory_uri.expect("given"), &[])
            .await
            .expect("valid");
        inventory
            .require_environment(&settings.environment)
            .expect("the same");
        assert_eq!(inventory.own(node).expect("listed").port(), Some(port));
        assert_eq!(settings.notices, Vec::<String>::new());
    }
}

/// The systemd service unit prevents a restart after exactly those exit codes that need human
/// intervention.
#[test]
fn the_unit_lists_the_exit_codes() {
    let unit = include_str!("../../etc/quorate.service");
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("RestartPreventExitStatus="))
        .expect("is there");
    let codes: Vec<u8> = line
        .split(' ')
        .map(|code| code.parse().expect("a number"))
        .collect();
    assert_eq!(codes, exit_code::NEEDS_PERSON);
}
