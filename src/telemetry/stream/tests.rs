use super::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;

fn open(path: &Path) -> DeviceStream {
    let source = Destination::of(path).expect("leads somewhere");
    DeviceStream::open(path.to_owned(), source, |_| ()).expect("opens")
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("makes a FIFO");
}

/// Opens a reader that waits neither for a writer nor for data.
fn reader(path: &Path) -> File {
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let mut options = fs::OpenOptions::new();
    options.read(true).custom_flags(flags);
    options.open(path).expect("opens")
}

/// Reads all data that is available.
fn drain(reader: &mut File) -> String {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = reader.read(&mut piece) {
        text.extend_from_slice(&piece[..count]);
    }
    String::from_utf8(text).expect("text")
}

/// A FIFO without a reader does not block the writer. Lines written without a reader are lost, and
/// nothing else happens. A reader gets the lines that are written after it has opened the FIFO.
#[test]
fn a_fifo_waits_for_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log");
    fifo(&path);
    let mut log = open(&path);
    log.write_lines(b"lost\n");
    let mut first = reader(&path);
    log.write_lines(b"one\n");
    log.write_lines(b"two\nthree\n");
    assert_eq!(drain(&mut first), "one\ntwo\nthree\n");
    drop(first);
    log.write_lines(b"lost\n");
    log.write_lines(b"lost\n");
    assert_eq!(log.lost_lines, 2);
    let mut second = reader(&path);
    log.write_lines(b"four\n");
    assert_eq!(drain(&mut second), "four\n");
    assert_eq!(log.lost_lines, 0);
    assert_eq!(
        fs::read_dir(dir.path()).expect("is there").count(),
        1,
        "nothing is rotated"
    );
}

/// A reader that stalls loses lines, and the writer waits only for the first of them. The lines
/// that the reader gets later are whole.
#[test]
fn a_reader_that_stalls_gets_whole_lines() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log");
    fifo(&path);
    let mut log = open(&path);
    let mut reader = reader(&path);
    let line = |number: u32, length: usize| format!("{number:08}{}\n", "x".repeat(length));
    let lines: Vec<String> = (0..400).map(|i| line(i, 100 + i as usize * 37)).collect();
    for line in &lines {
        log.write_lines(line.as_bytes());
    }
    assert!(log.is_stalled && log.lost_lines > 0);
    let mut read = drain(&mut reader);
    log.write_lines(b"the end\n");
    read += &drain(&mut reader);
    let mut expected = lines.iter();
    for piece in read.split_inclusive('\n') {
        let found = piece == "the end\n" || expected.any(|line| line == piece);
        assert!(found, "not a whole line, or out of order: {piece:.20}");
    }
    assert!(read.ends_with("\nthe end\n"));
}

/// A stream socket gets the lines one after another. A datagram socket gets each line as a message.
/// A listener that starts later gets lines too.
#[test]
fn sockets_get_lines() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("stream");
    let listener = UnixListener::bind(&path).expect("binds");
    let mut log = open(&path);
    log.write_lines(b"one\ntwo\n");
    let (mut accepted, _) = listener.accept().expect("connected");
    let mut read = [0; 8];
    accepted.read_exact(&mut read).expect("reads");
    assert_eq!(&read, b"one\ntwo\n");
    drop((accepted, listener));
    log.write_lines(b"lost\n");
    log.write_lines(b"lost\n");
    fs::remove_file(&path).expect("removes");
    let listener = UnixListener::bind(&path).expect("binds");
    log.write_lines(b"three\n");
    let (mut accepted, _) = listener.accept().expect("connected");
    let mut read = [0; 6];
    accepted.read_exact(&mut read).expect("reads");
    assert_eq!(&read, b"three\n");

    let path = dir.path().join("datagrams");
    let receiver = UnixDatagram::bind(&path).expect("binds");
    let mut log = open(&path);
    log.write_lines(b"one\ntwo\n");
    for expected in [&b"one\n"[..], b"two\n"] {
        let mut message = [0; 16];
        let count = receiver.recv(&mut message).expect("receives");
        assert_eq!(&message[..count], expected);
    }
}
