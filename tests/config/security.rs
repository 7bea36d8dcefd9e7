//! Tests of the settings of authentication.

use crate::installation::{Installation, with_config};
use quorate::config::{EngineAuthentication, PeerAuthentication, Settings, load};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

fn with_lines(lines: &str) -> Installation {
    let installation = with_config(&format!("node.environment=test\nnode.id=a\n{lines}\n"));
    restrict(&installation, "config.properties");
    installation
}

/// Makes a file readable by its owner alone.
fn restrict(installation: &Installation, name: &str) {
    let path = installation.etc().join(name);
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("its own file");
}

fn secrets(settings: &Settings) -> usize {
    let secrets = settings.security.peer_secrets.as_ref();
    secrets.map_or(0, |secrets| secrets.list.iter().count())
}

/// A secret is read from the configuration or from a file. If there is a secret, peers must by
/// default prove that they have it. Without a secret, peers prove nothing.
#[test]
fn secrets_are_read() {
    let settings = with_lines("").load();
    assert_eq!(settings.security.peers, PeerAuthentication::Off);
    assert_eq!(secrets(&settings), 0);

    let settings = with_lines(&format!("cluster.shared-secret={SECRET}")).load();
    assert_eq!(settings.security.peers, PeerAuthentication::Require);
    assert_eq!(secrets(&settings), 1);
    assert_eq!(settings.notices, Vec::<String>::new());
    assert!(!format!("{settings:?}").contains(SECRET));

    let installation = with_lines(
        "cluster.shared-secret-file=etc/cluster.secret\ncluster.peer-authentication=Permissive",
    );
    installation.write("cluster.secret", &format!("{SECRET}\n\n {OTHER}\n"));
    restrict(&installation, "cluster.secret");
    let settings = installation.load();
    assert_eq!(settings.security.peers, PeerAuthentication::Permissive);
    assert_eq!(secrets(&settings), 2);
    assert_eq!(settings.notices, Vec::<String>::new());
}

/// Each bad setting is reported with its key, and with the file and the reason. No report contains
/// a secret.
#[test]
fn bad_secrets_are_named_and_not_shown() {
    let refused = |lines: &str| with_lines(lines).errors();
    let short = refused("cluster.shared-secret=hunter2");
    assert_eq!(
        short,
        "config.properties:3: Invalid configuration property cluster.shared-secret: \
         a secret has at least 16 bytes, and this one has 7"
    );
    for mode in ["permissive", "require"] {
        assert_eq!(
            refused(&format!("cluster.peer-authentication={mode}")),
            format!(
                "config.properties:3: Invalid configuration property \
                 cluster.peer-authentication: {mode} needs a shared secret: \
                 set cluster.shared-secret-file"
            )
        );
    }
    assert!(
        refused("cluster.peer-authentication=maybe")
            .contains("'maybe' is not one of OFF, PERMISSIVE, REQUIRE, CERTIFICATE")
    );
    assert!(refused("cluster.shared-secret=").contains("cluster.shared-secret: is empty"));
    let both = refused(&format!(
        "cluster.shared-secret={SECRET}\ncluster.shared-secret-file=etc/cluster.secret"
    ));
    assert!(
        both.contains("cannot be set beside cluster.shared-secret"),
        "{both}"
    );
    assert!(!both.contains(SECRET));

    let installation = with_lines("cluster.shared-secret-file=etc/cluster.secret");
    let file = "config.properties:3: Invalid configuration property \
                cluster.shared-secret-file: cluster.secret ";
    assert_eq!(
        installation.errors(),
        format!("{file}cannot be read: No such file or directory (os error 2)")
    );
    fs::create_dir(installation.etc().join("cluster.secret")).expect("creates");
    assert_eq!(
        installation.errors(),
        format!("{file}is not a regular file")
    );
    fs::remove_dir(installation.etc().join("cluster.secret")).expect("removes");
    for (text, reason) in [
        (b"\n \n".as_slice(), "it contains no secret"),
        (
            b"hunter2",
            "line 1: a secret has at least 16 bytes, and this one has 7",
        ),
        (b"\xff\xfe1234567890123456", "is not text in UTF-8"),
        (&[b'x'; (1 << 20) + 1], "is larger than 1048576 bytes"),
    ] {
        fs::write(installation.etc().join("cluster.secret"), text).expect("writes");
        assert_eq!(installation.errors(), format!("{file}{reason}"));
    }
}

/// Settings that are accepted but unsafe are reported: a secret that can be guessed, a file that
/// others may read, and a secret that is not used.
#[test]
fn unsafe_settings_are_reported() {
    let notices = |installation: &Installation| {
        let settings = installation.load();
        let cut = settings.notices.iter().map(|line| installation.cut(line));
        cut.collect::<Vec<_>>()
    };
    let weak = with_lines("cluster.shared-secret=sixteen-bytes-xy");
    assert_eq!(
        notices(&weak),
        [
            "cluster.shared-secret: a secret of fewer than 32 bytes may be guessed; \
          make one with `openssl rand -hex 32`"
        ]
    );

    let open = with_lines("cluster.shared-secret-file=etc/cluster.secret");
    open.write("cluster.secret", SECRET);
    let path = open.etc().join("cluster.secret");
    fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("its own file");
    assert_eq!(
        notices(&open),
        [
            "cluster.secret: other users of this machine may read the shared secret in it; \
          `chmod 600` the file"
        ]
    );

    let visible = with_lines("");
    let mut options = visible.options();
    options.properties = vec![("cluster.shared-secret".into(), SECRET.into())];
    let settings = load(&options).expect("valid");
    assert_eq!(
        settings.notices,
        [
            "cluster.shared-secret: every user of this machine can see the shared secret in the \
             list of processes; name a file with cluster.shared-secret-file"
        ]
    );

    let unused = with_lines(&format!(
        "cluster.shared-secret={SECRET}\ncluster.peer-authentication=off"
    ));
    assert_eq!(
        notices(&unused),
        ["cluster.peer-authentication is off: peers do not prove that they have the shared secret"]
    );
}

/// With a secret of the engines, peers and engines must prove by default that they have a secret.
/// Peers use the secret of the engines unless the peers have a secret of their own. `require` for
/// engines needs `require` for peers, because anyone could otherwise announce an engine as a node
/// of the group.
#[test]
fn engines_need_peers() {
    let engines = format!("internal-communication.shared-secret={SECRET}");
    let security = with_lines(&engines).load().security;
    assert_eq!(security.peers, PeerAuthentication::Require);
    assert_eq!(security.engines, EngineAuthentication::Require);
    assert_eq!(security.peer_secrets, security.engine_secrets);
    let own = format!("{engines}\ncluster.shared-secret={OTHER}");
    let security = with_lines(&own).load().security;
    assert_ne!(security.peer_secrets, security.engine_secrets);

    let own = with_lines(&format!("cluster.shared-secret={OTHER}")).load();
    assert_eq!(own.security.engines, EngineAuthentication::Off);

    for peers in ["off", "permissive"] {
        let half = with_lines(&format!("{engines}\ncluster.peer-authentication={peers}"));
        assert!(
            half.errors().contains(
                "discovery.announcement.authentication: require needs \
                 cluster.peer-authentication=require"
            ),
            "{}",
            half.errors()
        );
        let lines = format!(
            "{engines}\ncluster.peer-authentication={peers}\n\
             discovery.announcement.authentication=verify"
        );
        let security = with_lines(&lines).load().security;
        assert_eq!(security.engines, EngineAuthentication::Verify);
    }
    let without = with_lines("discovery.announcement.authentication=verify").errors();
    assert!(
        without.ends_with(
            "verify needs a shared secret: set internal-communication.shared-secret-file"
        ),
        "{without}"
    );
}

/// Returns an installation whose nodes prove who they are by certificates, with a key store and a
/// trust store. The lines of the given keys are left out, and `more` is added.
fn with_certificates(without: &[&str], more: &str) -> Installation {
    let lines = [
        "cluster.peer-authentication=certificate",
        "http-server.https.enabled=true",
        "http-server.https.keystore.path=etc/key.pem",
        "http-server.https.truststore.path=etc/trusted.pem",
    ];
    let is_kept = |line: &&&str| without.iter().all(|key| !line.starts_with(key));
    let kept: Vec<_> = lines.iter().filter(is_kept).copied().collect();
    let installation = with_lines(&format!("{}\n{more}", kept.join("\n")));
    let fixture = |name: &str| {
        let stores = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/crates/security/src/key_store/stores"
        );
        fs::read_to_string(format!("{stores}/{name}")).expect("a fixture")
    };
    let key_store = [fixture("ec.pkcs8.pem"), fixture("ec.pem")].concat();
    installation.write("key.pem", &key_store);
    restrict(&installation, "key.pem");
    installation.write("trusted.pem", &fixture("root.pem"));
    installation
}

/// Certificates of peers need no secret, but HTTPS with a key store and a trust store. What lacks
/// is named. They satisfy each rule that needs peers which prove who they are.
#[test]
fn certificates_need_their_stores() {
    let settings = with_certificates(&[], "").load();
    assert_eq!(settings.security.peers, PeerAuthentication::Certificate);
    assert_eq!((secrets(&settings), settings.notices), (0, Vec::new()));
    for (without, needed) in [
        (
            "http-server.https.enabled",
            "http-server.https.enabled=true",
        ),
        (
            "http-server.https.keystore.path",
            "http-server.https.keystore.path",
        ),
        (
            "http-server.https.truststore.path",
            "http-server.https.truststore.path",
        ),
    ] {
        let errors = with_certificates(&[without], "").errors();
        let said = format!("cluster.peer-authentication: certificate needs {needed}: nodes show");
        assert!(errors.contains(&said), "{errors}");
    }
    let automatic = format!("http-server.https.automatic-shared-secret={SECRET}");
    let errors = with_certificates(&["http-server.https.keystore"], &automatic).errors();
    let said = "certificate needs http-server.https.keystore.path";
    assert!(errors.contains(said), "{errors}");

    let engines = format!("internal-communication.shared-secret={SECRET}");
    for more in [
        format!("{engines}\ndiscovery.read-authentication=require"),
        "http-server.http.enabled=false".to_owned(),
        "cluster.tokens-file=etc/trusted.tokens".to_owned(),
    ] {
        let installation = with_certificates(&[], &more);
        let digest = "0".repeat(64);
        installation.write("trusted.tokens", &format!("ops write sha256:{digest}"));
        let security = installation.load().security;
        assert_eq!(security.peers, PeerAuthentication::Certificate, "{more}");
        assert_eq!(security.peer_secrets, None, "{more}");
    }
    let security = with_certificates(&[], &engines).load().security;
    assert_eq!(security.engines, EngineAuthentication::Require);
    assert!(security.engine_secrets.is_some());
}

/// A secret of the nodes beside certificates is a contradiction, in the configuration and in a
/// file.
#[test]
fn certificates_exclude_a_secret_of_the_nodes() {
    for (key, value) in [
        ("cluster.shared-secret", SECRET),
        ("cluster.shared-secret-file", "etc/secret"),
    ] {
        let installation = with_certificates(&[], &format!("{key}={value}"));
        installation.write("secret", SECRET);
        let errors = installation.errors();
        let said = format!("{key}: cannot be set beside cluster.peer-authentication=certificate");
        assert!(errors.contains(&said), "{errors}");
        assert!(!errors.contains(SECRET));
    }
}

/// Trusted networks are read in each notation, and a bad one is named.
#[test]
fn trusted_networks() {
    let load = |list: &str| with_lines(&format!("discovery.announcement.trusted-addresses={list}"));
    let networks = "10.1.2.3/8, 10.2.0.7,::1, fd00::/8,::ffff:10.0.0.1, ::ffff:10.3.0.0/112";
    let networks = load(networks).load();
    let networks = networks.security.trusted_addresses;
    let shown: Vec<_> = networks.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "10.0.0.0/8",
            "10.2.0.7/32",
            "::1/128",
            "fd00::/8",
            "10.0.0.1/32",
            "10.3.0.0/16"
        ]
    );
    for bad in ["10.0.0.0/33", "h", "10.0.0.0/8,", "10.0.0", "*"] {
        let errors = load(bad).errors();
        assert!(
            errors.contains("is neither an IP address nor a network"),
            "{bad}: {errors}"
        );
    }
    for all in ["0.0.0.0/0", "10.0.0.0/8,::/0"] {
        let required = with_lines(&format!(
            "internal-communication.shared-secret={SECRET}\n\
             discovery.announcement.trusted-addresses={all}"
        ));
        let errors = required.errors();
        assert!(errors.contains("trusts every address"), "{errors}");
    }
}

/// The tokens of people are read from their file, and a bad file is named with its line. Tokens and
/// closed lookups need peers that must prove the secret, because anyone could otherwise act as a
/// node of the group.
#[test]
fn tokens_need_peers() {
    const LINE: &str = "ops write \
        sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let secret = format!("cluster.shared-secret={SECRET}");
    let with_tokens = |lines: &str, text: &str| {
        let installation = with_lines(&format!("cluster.tokens-file=etc/tokens\n{lines}"));
        installation.write("tokens", text);
        restrict(&installation, "tokens");
        installation
    };
    let settings = with_tokens(&secret, LINE).load();
    let file = settings.security.tokens.expect("a file");
    assert_eq!(
        (file.tokens.count(), settings.security.reads_need_proof),
        (1, false)
    );
    assert_eq!(settings.notices, Vec::<String>::new());

    let bad = with_tokens(&secret, &format!("# people\n{LINE}x")).errors();
    assert_eq!(
        bad,
        "config.properties:3: Invalid configuration property cluster.tokens-file: tokens line 2: \
         the digest is not sha256: with 64 hexadecimal digits"
    );
    for lines in [
        String::new(),
        format!("{secret}\ncluster.peer-authentication=permissive"),
    ] {
        let errors = with_tokens(&lines, LINE).errors();
        let said = "cluster.tokens-file: tokens need cluster.peer-authentication=require";
        assert!(errors.contains(said), "{errors}");
    }

    let closed = "discovery.read-authentication=require";
    let settings = with_tokens(&format!("{secret}\n{closed}"), LINE).load();
    assert!(settings.security.reads_need_proof);
    let engines = format!("internal-communication.shared-secret={SECRET}\n{closed}");
    assert!(with_lines(&engines).load().security.reads_need_proof);
    let nobody = with_lines(&format!("{secret}\n{closed}")).errors();
    let said = "require needs cluster.tokens-file or internal-communication.shared-secret-file";
    assert!(nobody.contains(said), "{nobody}");
    let open = with_lines(closed).errors();
    assert!(
        open.contains("require needs cluster.peer-authentication=require"),
        "{open}"
    );
}
