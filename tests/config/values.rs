//! Tests of values and files in all formats that airlift and editors write.

use crate::installation::{Installation, with_config};
use quorate::config::{InternalAddressSource, LogLevel};
use quorate::model::Host;
use std::fs;

/// A byte order mark at the beginning of any file is skipped. A file in another encoding than UTF-8
/// is refused with its name.
#[test]
fn byte_order_marks() {
    let installation = Installation::new(&[
        ("config.properties", "\u{feff}node.environment=test\n"),
        ("node.properties", "\u{feff}node.id=a\n"),
        ("log.properties", "\u{feff}io.airlift=DEBUG\n"),
    ]);
    let settings = installation.load();
    assert_eq!(settings.environment, "test");
    assert_eq!(settings.node_id.as_deref(), Some("a"));
    let level = settings.log.levels.get("io.airlift");
    assert_eq!(level, Some(&LogLevel::Debug));
    for name in ["config.properties", "node.properties", "log.properties"] {
        let path = installation.etc().join(name);
        let before = fs::read(&path).expect("reads");
        fs::write(&path, b"\xff\xfen\0o\0d\0e\0").expect("writes");
        assert_eq!(
            installation.errors(),
            format!("{name}: cannot be read: it is UTF-16: save it as UTF-8")
        );
        fs::write(&path, before).expect("writes");
    }
}

/// Addresses are read in each of their notations, and a wrong one is reported with its key.
#[test]
fn addresses() {
    let load = |lines: &str| with_config(&format!("node.environment=test\n{lines}\n")).load();
    for (written, read) in [
        ("0.0.0.0", "0.0.0.0"),
        ("::", "::"),
        ("[::1]", "::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
    ] {
        let ip = load(&format!("node.bind-ip={written}")).bind_ip;
        assert_eq!(ip.map(|ip| ip.to_string()).as_deref(), Some(read));
    }
    let settings = load(
        "node.internal-address=2001:DB8::1\nnode.external-address=[::ffff:10.0.0.1]\n\
         node.internal-address-source=ip-encoded-as-hostname\nnode.prefer-ipv6-address=true",
    );
    let shown = |host: &Option<Host>| host.as_ref().map(ToString::to_string);
    assert_eq!(
        shown(&settings.internal_address).as_deref(),
        Some("[2001:db8::1]")
    );
    assert_eq!(
        shown(&settings.external_address).as_deref(),
        Some("10.0.0.1")
    );
    assert_eq!(
        settings.internal_address_source,
        InternalAddressSource::IpEncodedAsHostname
    );
    assert!(settings.prefer_ipv6_address);
    for (line, why) in [
        ("node.bind-ip=h", "is not an IP address"),
        ("node.bind-ip=[10.0.0.1]", "is not an IP address"),
        ("node.bind-ip=::1]", "is not an IP address"),
        ("node.internal-address=h:8411", "has a port"),
        ("node.internal-address=0.0.0.0", "can be reached"),
        ("node.external-address=::", "can be reached"),
        ("node.internal-address=http://h", "is not"),
        ("node.external-address=fe80::1%eth0", "has a zone"),
        ("node.internal-address-source=DNS", "is not one of"),
        ("node.prefer-ipv6-address=yes", "neither true nor false"),
    ] {
        let errors = with_config(&format!("node.environment=test\n{line}\n")).errors();
        let key = line.split('=').next().unwrap_or_default();
        assert!(errors.contains(key) && errors.contains(why), "{errors}");
    }
}

/// Data sizes and durations in airlift's format are read as airlift reads them. A value that
/// overflows is refused with its key.
#[test]
fn sizes_of_airlift() {
    let load = |lines: &str| with_config(&format!("node.environment=test\n{lines}\n"));
    let settings = load(
        "log.max-size=9223372036854775807B\nlog.max-total-size=0.5GB\n\
         http-server.log.max-size=1.00MB\ndiscovery.max-age=1.50m\n\
         discovery.hold-time=500000.00us\n\
         http-server.max-heap-memory=9223372036854775807B",
    )
    .load();
    assert_eq!(settings.log.max_size_bytes, i64::MAX as u64);
    assert_eq!(settings.log.max_total_size_bytes, 1 << 29);
    assert_eq!(settings.access_log.max_size_bytes, 1 << 20);
    assert_eq!((settings.max_age_ms, settings.hold_time_ms), (90_000, 500));
    for key in [
        "log.max-size",
        "log.max-total-size",
        "http-server.log.max-size",
        "discovery.max-announcement-size",
        "http-server.output-buffer-size",
    ] {
        let errors = load(&format!("{key}=9223372036854775808B")).errors();
        let expected = format!(
            "config.properties:2: Invalid configuration property {key}: '9223372036854775808B' is \
             too large: at most 9223372036854775807B"
        );
        assert_eq!(errors, expected);
    }
}
