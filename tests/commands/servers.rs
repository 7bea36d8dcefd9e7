//! Tests of the server addresses that every command accepts, from the command line and from the
//! environment.

use crate::process::{quorate, run};

const COMMANDS: [&[&str]; 6] = [
    &["cluster"],
    &["cluster", "--wait-ready"],
    &["coordinator"],
    &["services"],
    &["watch", "trino"],
    &["bench", "lookup"],
];

/// Every command refuses a server address with more than a scheme, host and port. One wrong address
/// among several is enough. All commands print the same message, before any request.
#[test]
fn every_command_refuses_alike() {
    for wrong in [
        "http://127.0.0.1:1/foo",
        "127.0.0.1:1/foo",
        "http://127.0.0.1:1/?x=1",
        "http://127.0.0.1:1#x",
        "http://u@127.0.0.1:1",
        "http://127.0.0.1:1,http://127.0.0.1:1/v1",
        "ftp://127.0.0.1",
    ] {
        let errors: Vec<String> = COMMANDS
            .iter()
            .flat_map(|words| {
                let by_option = run(&mut quorate(words, &[wrong]));
                let by_environment = run(quorate(words, &[]).env("QUORATE_SERVERS", wrong));
                [by_option, by_environment]
            })
            .map(|ended| {
                assert_eq!(ended.code, Some(2), "{wrong}: {ended:?}");
                let line = ended.stderr.lines().next().unwrap_or_default().to_owned();
                assert!(line.contains("expected http://host:port"), "{line}");
                line
            })
            .collect();
        assert!(errors.iter().all(|line| *line == errors[0]), "{errors:#?}");
    }
}

/// A slash at the end of a server's address is ignored. No server listens here, which each command
/// reports in its own way.
#[test]
fn a_slash_at_the_end_is_fine() {
    for words in COMMANDS.iter().filter(|words| words[0] != "watch") {
        let mut words = words.to_vec();
        if words.contains(&"--wait-ready") || matches!(words[0], "coordinator" | "services") {
            words.extend(["--timeout", "100ms"]);
        }
        let ended = run(&mut quorate(&words, &["http://127.0.0.1:1/"]));
        assert_eq!(ended.code, Some(19), "{words:?}: {ended:?}");
    }
}
