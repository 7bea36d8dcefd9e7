//! Tests of logs whose path is not a regular file. FIFOs, sockets and links in a temporary
//! directory stand in for the devices of the machine.

use crate::support::cluster::FORM_LIMIT;
use crate::support::node::{BINARY, Node};
use crate::support::{Cluster, Options, until};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Prepares a node with these log paths, but does not start it. Regular files at these paths would
/// be rotated every few lines.
fn node_with(log: &Path, access_log: &Path) -> Cluster {
    let mut cluster = Cluster::prepare(1, Options::default());
    let node = &mut cluster.nodes[0];
    node.etc.settings = [
        ("log.path", log.display().to_string()),
        ("log.max-size", "1kB".to_owned()),
        ("http-server.log.path", access_log.display().to_string()),
        ("http-server.log.max-size", "1kB".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .to_vec();
    node.etc.write();
    cluster
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("makes a FIFO");
}

/// Opens a FIFO for reading, in a way that waits neither for a writer nor for data.
fn reader(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits() as i32);
    options.open(path).expect("opens")
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .expect("a directory")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// Writes a line to the access log that a test finds again: looks up a type that is never
/// announced.
fn ask(node: &Node, kind: &str) {
    let path = format!("/v1/service/{kind}?{}", "x".repeat(200));
    assert_eq!(node.get(&path).expect("it answers").status, 200);
}

/// Returns the text received by a reader, once it contains a word.
fn wait_read(reader: &mut impl Read, word: &str) -> String {
    let mut text = Vec::new();
    until(word, FORM_LIMIT, || {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut piece) {
            text.extend_from_slice(&piece[..count]);
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        text.contains(word).then_some(text)
    })
}

/// A FIFO without a reader blocks neither the start of a node nor its service. A reader receives
/// the lines that are written after it has opened the FIFO. Nothing is rotated when the reader
/// closes the FIFO.
#[test]
fn a_fifo_is_written_to_and_waits_for_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let (log, access_log) = (dir.path().join("log"), dir.path().join("access"));
    fifo(&log);
    fifo(&access_log);
    let mut cluster = node_with(&log, &access_log);
    let node = &mut cluster.nodes[0];
    node.start();
    node.wait_serving(FORM_LIMIT);

    let (mut lines, mut requests) = (reader(&log), reader(&access_log));
    for i in 0..20 {
        ask(node, &format!("asked-{i}"));
    }
    let read = wait_read(&mut requests, "/v1/service/asked-19");
    let mut asked = read.lines().filter(|line| line.contains("asked-"));
    assert!(asked.all(|line| line.split('\t').count() == 16), "{read}");
    node.signal(Signal::HUP);
    wait_read(&mut lines, "SIGHUP is ignored");

    drop((lines, requests));
    for i in 0..20 {
        ask(node, &format!("unread-{i}"));
    }
    node.signal(Signal::HUP);
    let mut requests = reader(&access_log);
    until("the FIFO is written again", FORM_LIMIT, || {
        ask(node, "read-again");
        let mut piece = [0; 4096];
        requests.read(&mut piece).ok().filter(|count| *count > 0)
    });
    assert_eq!(node.stop().code(), Some(0));
    assert_eq!(names(dir.path()), ["access", "log"]);
    let kind = |path| fs::metadata(path).expect("it is there").file_type();
    assert!(kind(&log).is_fifo() && kind(&access_log).is_fifo());
}

/// Log paths may be links to standard output or to a device, as `/dev/stdout` and `/dev/null` are.
/// Such links are not replaced by files, and the lines go to the targets of the links.
#[test]
fn links_to_devices_stay() {
    let dir = tempfile::tempdir().expect("a directory");
    let (log, access_log) = (dir.path().join("stdout"), dir.path().join("null"));
    symlink("/proc/self/fd/1", &log).expect("links");
    symlink("/dev/null", &access_log).expect("links");
    let mut cluster = node_with(&log, &access_log);
    let node = &mut cluster.nodes[0];
    node.start();
    node.wait_serving(FORM_LIMIT);
    for i in 0..20 {
        ask(node, &format!("asked-{i}"));
    }
    // The node is stopped, which flushes the buffered lines.
    assert_eq!(node.stop().code(), Some(0));
    assert_eq!(names(dir.path()), ["null", "stdout"]);
    // The line appears twice, because the console is the same file in this test. The console writes
    // the line once, and the log writes it again through the link.
    let starts = node.log().matches(" started ").count();
    assert_eq!(starts, 2, "{}", node.log());
    node.start();
    node.wait_serving(FORM_LIMIT);
    until("more lines than fit", FORM_LIMIT, || {
        node.signal(Signal::HUP);
        let lines = node.log().matches("SIGHUP is ignored").count();
        (lines > 40).then_some(())
    });
    assert_eq!(node.stop().code(), Some(0));
    assert_eq!(names(dir.path()), ["null", "stdout"]);
    assert!(log.is_symlink() && access_log.is_symlink());
}

/// A Unix socket gets the log lines, even if its listener starts later than the node.
#[test]
fn a_socket_gets_lines() {
    let dir = tempfile::tempdir().expect("a directory");
    let (log, access_log) = (dir.path().join("log.sock"), dir.path().join("access.sock"));
    let listener = UnixListener::bind(&log).expect("binds");
    // The socket file of the access log was left behind by a listener that has ended.
    drop(UnixListener::bind(&access_log).expect("binds"));
    let mut cluster = node_with(&log, &access_log);
    let node = &mut cluster.nodes[0];
    node.start();
    node.wait_serving(FORM_LIMIT);
    let (mut lines, _) = listener.accept().expect("the node has connected");
    lines.set_nonblocking(true).expect("a socket");
    wait_read(&mut lines, " started ");
    drop(lines);

    fs::remove_file(&access_log).expect("removes");
    let requests = UnixListener::bind(&access_log).expect("binds");
    requests.set_nonblocking(true).expect("a socket");
    let (mut requests, _) = until("the node connects", FORM_LIMIT, || {
        ask(node, "asked");
        requests.accept().ok()
    });
    requests.set_nonblocking(true).expect("a socket");
    wait_read(&mut requests, "/v1/service/asked");
    assert_eq!(node.stop().code(), Some(0));
    assert_eq!(names(dir.path()), ["access.sock", "log.sock"]);
}

/// A process that a test started itself. Dropping an `Ended` kills the process.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A console that is not read, for example because a pager was stopped, neither stalls the node nor
/// prevents it from stopping.
#[test]
fn a_console_that_nobody_reads_stalls_nothing() {
    let mut cluster = Cluster::prepare(1, Options::default());
    let node = &mut cluster.nodes[0];
    let process = Command::new(BINARY)
        .args(["run", "--etc-dir"])
        .arg(node.etc.etc_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut process = Ended(process);
    let pid = Pid::from_child(&process.0);
    node.wait_serving(FORM_LIMIT);
    // 80 reports fill the pipe, which takes 64 kB. A report has some 2 kB, and signals that arrive
    // together count as one.
    for number in 0..80 {
        kill_process(pid, Signal::QUIT).expect("it runs");
        node.announce_acked("served", "engine", number + 1);
    }
    kill_process(pid, Signal::TERM).expect("it runs");
    let status = until("it stops", FORM_LIMIT, || {
        process.0.try_wait().expect("a child")
    });
    assert_eq!(status.code(), Some(0));
}
