//! The end of sessions when trust changes.

use super::*;

/// Runs a handshake of one client with each of two server configurations in turn. Returns the kind
/// of the second handshake.
fn second(
    client: ClientConfig,
    first: &Arc<ServerConfig>,
    then: &Arc<ServerConfig>,
) -> Option<HandshakeKind> {
    let mut client = client;
    client.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(8)));
    let client = Arc::new(client);
    handshake(&client, first, "n1.example.org").expect("a session");
    let session = handshake(&client, then, "n1.example.org").expect("a session");
    session.server.handshake_kind()
}

/// A session is resumed under the same settings only. Settings that were built again, or that have
/// a trust store, demand a whole handshake, in which a certificate is verified.
#[test]
fn no_session_outlives_its_trust() {
    let (keys, trusted) = (ec(), store(&["root.pem"]));
    let without = settings(&keys);
    let with = HttpsSettings {
        trust_store: Some(&trusted),
        ..without
    };
    let build = |settings: HttpsSettings<'_>| settings.server_config().expect("settings");
    let (config, again) = (build(without), build(without));
    let verifying = build(with);
    for version in [&TLS12, &TLS13] {
        let client = |shown| client_with(&[version], shown);
        let full = Some(HandshakeKind::Full);
        let resumed = second(client(None), &config, &config);
        assert_eq!(resumed, Some(HandshakeKind::Resumed));
        assert_eq!(second(client(None), &config, &again), full);
        assert_eq!(second(client(None), &config, &verifying), full);
        assert_eq!(second(client(Some("client")), &verifying, &verifying), full);
        assert_eq!(second(client(Some("client")), &verifying, &config), full);
    }
    let none = build(HttpsSettings {
        session_timeout_s: 0,
        ..without
    });
    assert_eq!(
        second(client(&[&TLS13]), &none, &none),
        Some(HandshakeKind::Full)
    );
}

/// Tickets last as long as the timeout says.
#[test]
fn tickets_have_the_configured_lifetime() {
    let keys = ec();
    for (timeout_s, lifetime_s) in [(14_400, 14_400), (1, 2), (0, 0)] {
        let config = HttpsSettings {
            session_timeout_s: timeout_s,
            ..settings(&keys)
        };
        let config = config.server_config().expect("settings");
        assert_eq!(config.ticketer.lifetime(), lifetime_s);
    }
}
