//! Tests of the HTTP server over real sockets, with a bare registry behind it.

mod authentication;
mod coordinators;
#[path = "../../../tests/support/clients/engine_tokens.rs"]
mod engine_tokens;
mod held;
mod http2;
mod metrics;
mod parked;
#[path = "../../../tests/wire/replay.rs"]
mod replay;
mod requests;
mod server;
mod unrouted;
mod watches;

use server::TestServer;

/// The server's responses match the recorded responses of airlift (`airlift-wire.json`) and the
/// rules that go beyond them (`rules.json`).
#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_answers_are_given() {
    for file in [
        include_str!("../../../tests/wire/airlift-wire.json"),
        include_str!("../../../tests/wire/rules.json"),
    ] {
        let server = TestServer::start().await;
        let address = server.address;
        let replayed = tokio::task::spawn_blocking(move || {
            let target = replay::ReplayTarget {
                server: address,
                scheme: "http",
                headers: "",
            };
            replay::replay(&target, &replay::cases(file))
        });
        let differences = replayed.await.expect("the replay ends");
        assert!(
            differences.is_empty(),
            "{} differences:\n{}",
            differences.len(),
            differences.join("\n")
        );
    }
}
