//! Tests of the launcher with the real binary: its messages, exit codes and files are those of
//! airlift's launcher.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Child;
use std::thread;

#[path = "../support/wait.rs"]
mod wait;

mod files;
mod installation;

use installation::{LauncherInstallation, printed, quorate, signal, wait_until};

fn exit_code(mut child: Child) -> i32 {
    let mut status = None;
    wait_until("the end", || {
        status = child.try_wait().expect("can be waited for");
        status.is_some()
    });
    status.and_then(|status| status.code()).expect("no signal")
}

/// Starting, querying and stopping a server give the messages and exit codes of airlift's Python
/// launcher.
#[test]
fn start_status_stop() {
    let installation = LauncherInstallation::new(0);
    assert_eq!(installation.run("status"), ("Not running\n".into(), 3));
    assert!(!installation.path("data").exists(), "asking makes no files");
    assert_eq!(installation.run("stop"), ("Not running\n".into(), 0));
    assert_eq!(installation.run("kill"), ("Not running\n".into(), 0));

    let pid = installation.start();
    assert_eq!(
        installation.run("status"),
        (format!("Running as {pid}\n"), 0)
    );
    assert_eq!(
        installation.run("start"),
        (format!("Already running as {pid}\n"), 0)
    );
    let (text, code) = installation.run("run");
    assert!(
        text.ends_with(&format!("Already running as {pid}\n")),
        "{text}"
    );
    assert_eq!(code, 13);

    let pid_file = installation.path("data/var/run/launcher.pid");
    assert_eq!(
        fs::read_to_string(&pid_file).expect("exists"),
        format!("{pid}\n")
    );
    assert_eq!(
        fs::metadata(&pid_file)
            .expect("exists")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    assert!(installation.path("data/var/log/launcher.log").exists());
    let server_log = installation.path("data/var/log/server.log");
    wait_until("a line of log", || {
        fs::metadata(&server_log).is_ok_and(|log| log.len() > 0)
    });

    assert_eq!(installation.run("stop"), (format!("Stopped {pid}\n"), 0));
    assert_eq!(installation.run("status"), ("Not running\n".into(), 3));
    assert_eq!(fs::read_to_string(&pid_file).expect("stays"), "");
}

/// A started server leads a session of its own, so that the server survives the end of the
/// terminal.
#[test]
fn a_started_server_is_detached() {
    let installation = LauncherInstallation::new(0);
    let pid = installation.start();
    let session = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("runs");
        // The fields after the name in parentheses are state, parent, group, session.
        stat.rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(3))
            .map(str::to_owned)
    };
    wait_until("the session", || session() == Some(pid.to_string()));
}

/// A server that was killed leaves its pid file behind. No command concludes from this file that
/// the server still runs.
#[test]
fn a_stale_pid_deceives_nobody() {
    let installation = LauncherInstallation::new(0);
    let pid = installation.start();
    signal(pid, rustix::process::Signal::KILL);
    wait_until("the end", || {
        installation.run("status") == ("Not running\n".into(), 3)
    });
    assert_eq!(
        fs::read_to_string(installation.path("data/var/run/launcher.pid")).expect("stays"),
        format!("{pid}\n")
    );

    // The pid now belongs to another process (this test), which must not be signalled.
    fs::write(
        installation.path("data/var/run/launcher.pid"),
        format!("{}\n", std::process::id()),
    )
    .expect("writes");
    assert_eq!(installation.run("kill"), ("Not running\n".into(), 0));
    installation.start();
}

/// `restart` stops the running server and starts a new one. `kill` ends the server without a clean
/// shutdown.
#[test]
fn restart_and_kill() {
    let installation = LauncherInstallation::new(0);
    let first = installation.start();
    let (text, code) = installation.run("restart");
    assert_eq!(code, 0, "{text}");
    let second = text
        .strip_prefix(&format!("Stopped {first}\nStarted as "))
        .expect("both are said")
        .trim()
        .to_owned();
    assert_ne!(second, first.to_string());
    assert_eq!(installation.run("kill"), (format!("Killed {second}\n"), 0));
    let (text, code) = installation.run("restart");
    assert!(text.starts_with("Not running\nStarted as "), "{text}");
    assert_eq!(code, 0);
}

/// If the configuration has become invalid, `restart` reports the errors and stops nothing: the
/// server continues to run.
#[test]
fn restart_checks_the_configuration() {
    let installation = LauncherInstallation::new(0);
    let pid = installation.start();
    installation.configure("node.environment=test\nfoo=1\n");
    let (text, code) = installation.run("restart");
    assert!(text.contains("'foo' was not used"), "{text}");
    assert_eq!(code, 4);
    assert_eq!(
        installation.run("status"),
        (format!("Running as {pid}\n"), 0)
    );
}

/// `start` reports all errors of the configuration and starts nothing.
#[test]
fn start_checks_the_configuration() {
    let installation = LauncherInstallation::new(0);
    installation.configure("node.environment=test\nfoo=1\nhttp-server.http.port=x\n");
    let (text, code) = installation.run("start");
    assert_eq!(code, 4);
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("ERROR: "))
            .count(),
        2,
        "{text}"
    );
    assert!(!installation.path("data").exists());
    let (text, code) = installation.run("run");
    assert_eq!(code, 10);
    assert!(
        text.contains("config.properties:2: Configuration property 'foo' was not used\n"),
        "{text}"
    );
}

/// A server that ends right after its start is not reported as running. The launcher's log contains
/// the reason for the end.
#[test]
fn start_notices_an_early_end() {
    let taken = TcpListener::bind("0.0.0.0:0").expect("a free port");
    let installation = LauncherInstallation::new(taken.local_addr().expect("bound").port());
    let (text, code) = installation.run("start");
    // On a very busy machine the server may still run when `start` stops watching it.
    if code != 0 {
        assert_eq!(code, 4);
        assert!(
            text.starts_with("ERROR: the server exited immediately (exit status: 12): "),
            "{text}"
        );
    }
    wait_until("the end", || installation.run("status").1 == 3);
    let log = fs::read_to_string(installation.path("data/var/log/launcher.log")).expect("exists");
    assert!(log.contains("in use"), "{log}");
}

/// A server in the foreground exits with 0 after SIGTERM. While the server runs, a second server is
/// refused, because the data directory is in use.
#[test]
fn run_in_the_foreground() {
    let installation = LauncherInstallation::new(0);
    let log = File::create(installation.path("console")).expect("creates");
    let server = installation
        .command("run")
        .stderr(log)
        .spawn()
        .expect("runs");
    let running = (format!("Running as {}\n", server.id()), 0);
    wait_until("the start", || installation.run("status") == running);
    let console = installation.path("console");
    wait_until("a line of log", || {
        fs::metadata(&console).is_ok_and(|console| console.len() > 0)
    });
    assert_eq!(installation.run("run").1, 13);
    assert_eq!(
        installation.run("stop"),
        (format!("Stopped {}\n", server.id()), 0)
    );
    assert_eq!(exit_code(server), 0);
}

/// A pid file that cannot be created is reported by name.
#[test]
fn unusable_directories() {
    let installation = LauncherInstallation::new(0);
    fs::write(installation.path("data"), "a file").expect("writes");
    let (text, code) = installation.run("start");
    assert_eq!(code, 4, "{text}");
    assert!(
        text.contains("data/var/run/launcher.pid: Not a directory"),
        "{text}"
    );
    assert_eq!(installation.run("run").1, 16);
}

/// The command line is that of airlift's launcher: options may be on either side of the command,
/// and unknown arguments give exit code 2.
#[test]
fn the_command_line() {
    let usage = |arguments: &[&str]| printed(&quorate(arguments).output().expect("runs"));
    for wrong in [
        &[][..],
        &["fly"],
        &["run", "stop"],
        &["--nonsense", "run"],
        &["run", "-D", "x"],
        &["run", "-Dconfig=x"],
        &["status", "--wait-ready"],
    ] {
        assert_eq!(usage(wrong).1, 2, "{wrong:?}");
    }
    assert!(
        usage(&["run", "-Dlog.output-file=x"])
            .0
            .contains("cannot specify server log using -D option (use --server-log-file)")
    );
    assert_eq!(
        usage(&["--version"]),
        (format!("quorate {}\n", env!("CARGO_PKG_VERSION")), 0)
    );

    let installation = LauncherInstallation::new(0);
    let mut status = installation.command("-v");
    status.args([
        "-J",
        "-Xmx1G",
        "-J-ea",
        "-Dnode.id=b",
        "--jvm-config",
        "x",
        "--launcher-config",
        "y",
        "status",
    ]);
    let (text, code) = printed(&status.output().expect("runs"));
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("launcher.pid"), "-v prints the paths: {text}");
}

/// Serves every connection with a fixed answer until the test process ends.
fn serve(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { continue };
            let _read = socket.read(&mut [0; 4096]);
            let _sent = socket.write_all(answer.as_bytes());
        }
    });
    address.to_string()
}

const READY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const NOT_READY: &str = "HTTP/1.1 503 Service Unavailable\r\n\
    content-length: 10\r\nconnection: close\r\n\r\nno leader\n";

/// Returns a loopback address that refuses connections.
fn closed() -> String {
    TcpListener::bind("127.0.0.1:0")
        .expect("a free port")
        .local_addr()
        .expect("bound")
        .to_string()
}

/// `cluster --wait-ready` returns when all servers are ready. At its timeout, the command reports
/// which servers are not ready, and why.
#[test]
fn cluster_waits_until_ready() {
    let wait = |servers: &[&String]| {
        let servers: Vec<&str> = servers.iter().map(|server| server.as_str()).collect();
        let servers = servers.join(",");
        printed(
            &quorate(&[
                "cluster",
                "--server",
                &servers,
                "--wait-ready",
                "--timeout",
                "200ms",
            ])
            .output()
            .expect("runs"),
        )
    };
    let (ready, waiting, closed) = (serve(READY), serve(NOT_READY), closed());
    assert_eq!(wait(&[&ready]), ("ready\n".into(), 0));
    let (text, code) = wait(&[&ready, &waiting, &closed]);
    assert_eq!(code, 19);
    assert!(text.contains(&format!("http://{ready}  ready\n")), "{text}");
    assert!(
        text.contains(&format!("http://{waiting}  not ready: no leader\n")),
        "{text}"
    );
    assert!(
        text.contains(&format!("http://{closed}  not ready: Connection refused")),
        "{text}"
    );
}

/// `cluster` shows the answer of a server, continues with the next server when one is down, and
/// fails when none answers.
#[test]
fn cluster_shows_the_group() {
    let status = concat!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n",
        r#"{"node":"a","role":"leader","leader":"a","term":3,"applied":17,"services":2,"#,
        r#""cluster":"3f2a","members":[{"node":"a","role":"voter","address":"http://h:1","#,
        r#""reachable":true,"lag":0}]}"#
    );
    let (up, down) = (serve(status), closed());
    let (text, code) = printed(
        &quorate(&["cluster", "--server", &down, "--server", &up])
            .output()
            .expect("runs"),
    );
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("cluster 3f2a  leader a  term 3  applied 17  services 2\n"),
        "{text}"
    );
    assert!(
        text.contains("a     leader  http://h:1  yes        0    -        -   -          -\n"),
        "{text}"
    );
    assert!(
        text.contains(&format!("http://{down}  unreachable: Connection refused")),
        "{text}"
    );
    assert_eq!(
        printed(
            &quorate(&["cluster", "--server", &down])
                .output()
                .expect("runs")
        )
        .1,
        19
    );
}
