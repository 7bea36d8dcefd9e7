//! Checks that tests neither sleep to wait for an event nor take a fixed port.

use crate::source::{code_of, has_name, test_part_line};
use crate::tree::{all_files, assert_none, is_test_file, read};
use std::path::Path;

/// Returns the sleeps and the fixed ports in the tests of a file. If `all_of_it` is true, the whole
/// file consists of tests. Sleeping on a paused clock is allowed, because it takes no time.
fn impatience(source: &str, all_of_it: bool) -> Vec<String> {
    let code = code_of(source);
    let from = if all_of_it { 1 } else { test_part_line(source) };
    let on_paused_clock = code.contains("start_paused = true");
    let mut complaints = Vec::new();
    for (index, (line, bare)) in source.lines().zip(code.lines()).enumerate().skip(from - 1) {
        if has_name(bare, "sleep") && bare.contains("sleep(") && !on_paused_clock {
            complaints.push(format!(
                "line {}: sleeps; wait for the event with a deadline",
                index + 1
            ));
        }
        if bare.contains("bind(") && binds_fixed_port(line) {
            complaints.push(format!(
                "line {}: binds a fixed port; bind port 0",
                index + 1
            ));
        }
    }
    complaints
}

fn binds_fixed_port(line: &str) -> bool {
    let after_bind = line.split("bind(").skip(1);
    after_bind.into_iter().any(|call| {
        let address = call.split(')').next().unwrap_or("");
        let port = address
            .rsplit([':', ','])
            .next()
            .unwrap_or("")
            .trim_matches([' ', '"', '(']);
        port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}

/// The only file that may sleep. All other tests use its functions.
const WAITS: &str = "tests/support/wait.rs";
/// The part of the repository in which every clock is simulated, and ports are not those of the
/// machine.
const SIMULATED: &str = "crates/sim";
/// The packages that consist only of code for tests.
const FOR_TESTS: [&str; 2] = ["crates/checker", "fuzz"];

#[test]
fn tests_wait_for_events_and_take_free_ports() {
    let mut complaints = Vec::new();
    for path in all_files() {
        if path == Path::new(WAITS) || path.starts_with(SIMULATED) {
            continue;
        }
        let all_of_it = is_test_file(&path) || FOR_TESTS.iter().any(|part| path.starts_with(part));
        for complaint in impatience(&read(&path), all_of_it) {
            complaints.push(format!("{}: {complaint}", path.display()));
        }
    }
    assert_none(&complaints);
}

#[test]
fn an_impatient_test_is_found() {
    assert_eq!(
        impatience("tokio::time::sleep(Duration::from_secs(1)).await;", true).len(),
        1
    );
    assert_eq!(
        impatience(
            "fn product() { sleep(D) }\n#[cfg(test)]\nmod tests {\n sleep(D);\n}",
            false
        )
        .len(),
        1
    );
    assert_eq!(
        impatience("#[tokio::test(start_paused = true)]\nsleep(D).await;", true).len(),
        0
    );
    assert_eq!(
        impatience("TcpListener::bind(\"127.0.0.1:8411\")", true).len(),
        1
    );
    assert_eq!(
        impatience("TcpListener::bind((\"127.0.0.1\", 8411))", true).len(),
        1
    );
    assert_eq!(
        impatience(
            "TcpListener::bind(\"127.0.0.1:0\"); bind((HOST, port)); bind(([0; 4], 0))",
            true
        )
        .len(),
        0
    );
}
