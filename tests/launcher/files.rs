//! Tests of files that the launcher cannot use, or that are not regular files.

use crate::installation::{LauncherInstallation, TIME_LIMIT, signal};
use crate::wait;
use quorate::clock;
use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

/// Returns the pids of the servers that `start` has left running for a directory. Kills these
/// servers, because they must not outlive the test.
fn left_behind(dir: &Path) -> Vec<i32> {
    let dir = dir.display().to_string();
    let is_ours = |pid: &i32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        words.contains("--detached") && words.contains(&dir)
    };
    let pids: Vec<i32> = fs::read_dir("/proc")
        .expect("there are processes")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(is_ours)
        .collect();
    for pid in &pids {
        signal(*pid, rustix::process::Signal::KILL);
    }
    pids
}

/// When the pid cannot be recorded because the disk is full, `start` reports the error and leaves
/// no server running.
#[test]
fn a_pid_that_cannot_be_recorded_leaves_no_server() {
    let installation = LauncherInstallation::new(0);
    let disk = installation.path("full");
    fs::create_dir(&disk).expect("creates");
    // A file fills the only page of this file system, so that no space is left for the pid file.
    let script = format!(
        "set -e; cd '{}'; mount -t tmpfs -o size=4k tmpfs full; \
         head -c 4096 /dev/zero >full/rest; exec \"$@\"",
        installation.dir.path().display()
    );
    let flags = match rustix::process::geteuid().is_root() {
        true => "-m",
        false => "-rm",
    };
    let namespace = |words: &mut Command| {
        let mut command = Command::new("unshare");
        command
            .args([flags, "sh", "-c", &script, "sh"])
            .arg(words.get_program())
            .args(words.get_args());
        run(&mut command, installation.dir.path())
    };
    let (text, code) = namespace(&mut Command::new("true"));
    if code != Some(0) {
        eprintln!("skipped: no file system of its own: {text}");
        return;
    }
    for command in ["start", "restart"] {
        let mut start = installation.command(command);
        start.arg("--pid-file").arg(disk.join("run/a.pid"));
        let (text, code) = namespace(&mut start);
        let left = left_behind(installation.dir.path());
        assert_eq!(left, [0; 0], "{command}: {text}");
        assert_eq!(code, Some(4), "{text}");
        assert!(
            text.contains("run/a.pid: No space left on device"),
            "{text}"
        );
    }
}

/// Waits for the end of a process and returns its exit code. A process that does not end in time is
/// killed, and has no exit code.
fn ended(mut process: Child) -> Option<i32> {
    let deadline = clock::now() + TIME_LIMIT;
    while clock::now() < deadline {
        if let Some(status) = process.try_wait().expect("can be waited for") {
            return status.code();
        }
        wait::let_pass(Duration::from_millis(20));
    }
    process.kill().expect("a child can be killed");
    process.wait().expect("a child can be waited for").code()
}

/// Runs a command to its end. The output goes to a file, because a server that the command leaves
/// running would keep a pipe open.
fn run(command: &mut Command, dir: &Path) -> (String, Option<i32>) {
    let path = dir.join("output");
    let output = fs::File::create(&path).expect("creates");
    let errors = output.try_clone().expect("a handle can be cloned");
    let process = command.stdout(output).stderr(errors).spawn().expect("runs");
    let code = ended(process);
    (fs::read_to_string(&path).expect("was written"), code)
}

/// A detached server ends by itself if its launcher has not recorded its pid. No command could stop
/// such a server.
#[test]
fn a_server_that_nobody_recorded_ends() {
    let installation = LauncherInstallation::new(0);
    let mut orphan = installation.command("run");
    let console = installation.path("console");
    let log = fs::File::create(&console).expect("creates");
    let orphan = orphan.arg("--detached").stderr(log).spawn().expect("runs");
    let code = ended(orphan);
    let text = fs::read_to_string(&console).expect("was written");
    assert_eq!(code, Some(16), "{text}");
    assert!(
        text.contains("launcher.pid' does not name this server"),
        "{text}"
    );
    assert!(
        !installation.path("data/raft").exists(),
        "nothing was opened"
    );
}

/// A pid file or a launcher log that is not a regular file is either refused by name or written to.
/// No command waits for the other end of a FIFO.
#[test]
fn special_files() {
    let installation = LauncherInstallation::new(0);
    let fifo = installation.path("fifo");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0)
        .expect("makes a FIFO");
    let start = |option: &str, path: &Path| {
        let mut start = installation.command("start");
        run(start.arg(option).arg(path), installation.dir.path())
    };
    for (option, path, why) in [
        ("--pid-file", fifo.clone(), "fifo: is not a regular file"),
        (
            "--pid-file",
            installation.path("etc"),
            "etc: Is a directory",
        ),
        (
            "--pid-file",
            installation.path("etc/config.properties/x"),
            "config.properties/x: Not a directory",
        ),
        (
            "--launcher-log-file",
            installation.path("etc"),
            "etc: Is a directory",
        ),
        (
            "--launcher-log-file",
            installation.path("etc/config.properties/x"),
            "config.properties/x: Not a directory",
        ),
    ] {
        let (text, code) = start(option, &path);
        assert_eq!(left_behind(installation.dir.path()), [0; 0], "{text}");
        assert_eq!(code, Some(4), "{text}");
        assert!(text.contains(why), "{text}");
    }
    for name in ["fifo", "null"] {
        let path = installation.path(name);
        if name == "null" {
            std::os::unix::fs::symlink("/dev/null", &path).expect("links");
        }
        let (text, code) = start("--launcher-log-file", &path);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.starts_with("Started as "), "{text}");
        assert_eq!(installation.run("kill").1, 0);
    }
    assert!(installation.path("null").is_symlink());
}

/// If a file that the start needs is unusable, `restart` stops nothing.
#[test]
fn restart_checks_its_files() {
    let installation = LauncherInstallation::new(0);
    let pid = installation.start();
    let mut restart = installation.command("restart");
    restart
        .arg("--launcher-log-file")
        .arg(installation.path("etc"));
    let (text, code) = run(&mut restart, installation.dir.path());
    assert_eq!(code, Some(4), "{text}");
    assert!(text.contains("etc: Is a directory"), "{text}");
    assert_eq!(
        installation.run("status"),
        (format!("Running as {pid}\n"), 0)
    );
}
