use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

const INVENTORY: &str = concat!(
    r#"{"environment":"test","services":[{"nodeId":"a","type":"discovery","#,
    r#""properties":{"http":"http://h:1"}}]}"#
);

fn normalized(text: &str) -> Result<String, String> {
    normalize(text, |path| Path::new("/data").join(path))
}

/// Serves one connection with a fixed response, on a free loopback port.
fn serve(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a client");
        let mut request = [0; 4096];
        let _read = socket.read(&mut request).expect("a request");
        // The write fails if the body is too long, because the client closes the connection.
        let _sent = socket.write_all(&answer);
    });
    format!("http://127.0.0.1:{port}/inventory.json")
}

fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// URIs are made absolute and normalized. Relative paths start in the data directory.
#[test]
fn uris_are_normalized() {
    for (written, read) in [
        ("file:///srv/x.json", "file:/srv/x.json"),
        ("FILE:/srv/x.json", "file:/srv/x.json"),
        ("file://localhost/srv/x.json", "file:/srv/x.json"),
        ("file:x.json", "file:/data/x.json"),
        ("file:///srv/a%20b.json", "file:/srv/a%20b.json"),
        (
            "http://host/~martin/service-inventory.json",
            "http://host/~martin/service-inventory.json",
        ),
        ("https://host:8443", "https://host:8443/"),
    ] {
        assert_eq!(normalized(written).as_deref(), Ok(read));
    }
    for bad in [
        "/srv/x.json",
        "file:",
        "file://host/x.json",
        "ftp://host/x",
        "http://",
        "x",
    ] {
        assert!(normalized(bad).is_err(), "{bad} must be refused");
    }
}

/// A file is read, even with blanks in its name. The error for a missing file names the file and
/// the system's reason.
#[tokio::test]
async fn files_are_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("my inventory.json");
    std::fs::write(&path, INVENTORY).expect("writes");
    assert_eq!(
        fetch(&file_uri(&path), &[])
            .await
            .expect("valid")
            .entries
            .len(),
        1
    );
    let error = fetch("file:/nowhere/x.json", &[])
        .await
        .expect_err("missing")
        .to_string();
    assert_eq!(
        error,
        "file:/nowhere/x.json: cannot be read: No such file or directory (os error 2)"
    );
    std::fs::write(&path, "{").expect("writes");
    assert!(matches!(
        fetch(&file_uri(&path), &[]).await,
        Err(InventoryError::Bad(_))
    ));
}

/// An inventory is read over HTTP too. If that fails, the error says whether the server is down,
/// fails, or sends too much.
#[tokio::test]
async fn servers_are_asked() {
    let uri = serve(answer("200 OK", INVENTORY.as_bytes()));
    assert_eq!(fetch(&uri, &[]).await.expect("valid").environment, "test");

    let uri = serve(answer("404 Not Found", b""));
    let error = fetch(&uri, &[]).await.expect_err("not there").to_string();
    assert_eq!(
        error,
        format!("{uri}: cannot be fetched: the server answered 404 Not Found")
    );

    let uri = serve(answer("200 OK", &vec![b' '; INVENTORY_BYTES_MAX + 100_000]));
    let error = fetch(&uri, &[]).await.expect_err("too large").to_string();
    assert_eq!(
        error,
        format!("{uri}: is larger than {INVENTORY_BYTES_MAX} bytes")
    );

    let closed = TcpListener::bind("127.0.0.1:0")
        .expect("a free port")
        .local_addr()
        .expect("bound");
    let error = fetch(&format!("http://{closed}/"), &[])
        .await
        .expect_err("nobody listens");
    assert!(
        matches!(error, InventoryError::Unreachable { .. }),
        "{error}"
    );
}

/// A byte order mark and gzip are accepted, from a file and over HTTP, with or without a
/// `Content-Encoding` header. An inventory that is too large after decompression is refused like
/// any other inventory over the limit.
#[tokio::test]
async fn marks_and_gzip_are_taken() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    let marked = format!("\u{feff}{INVENTORY}");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("inventory.json");
    for bytes in [marked.clone().into_bytes(), gzip(marked.as_bytes())] {
        std::fs::write(&path, &bytes).expect("writes");
        let inventory = fetch(&file_uri(&path), &[]).await.expect("valid");
        assert_eq!(inventory.entries.len(), 1);
        let uri = serve(answer("200 OK", &bytes));
        assert_eq!(fetch(&uri, &[]).await.expect("valid").environment, "test");
    }
    let coded = |coding: &str, body: &[u8]| {
        serve(answer(
            &format!("200 OK\r\ncontent-encoding: {coding}"),
            body,
        ))
    };
    for coding in ["gzip", "x-gzip", "GZIP"] {
        let uri = coded(coding, &gzip(marked.as_bytes()));
        assert_eq!(fetch(&uri, &[]).await.expect("valid").entries.len(), 1);
    }
    let uri = coded("br", b"x");
    let error = fetch(&uri, &[]).await.expect_err("unknown").to_string();
    assert_eq!(
        error,
        format!(
            "{uri}: cannot be fetched: the server answered with Content-Encoding br, which was \
             not requested"
        )
    );
    let uri = coded("gzip", b"{}");
    let error = fetch(&uri, &[]).await.expect_err("no gzip").to_string();
    assert!(
        error.starts_with(&format!("{uri}: cannot be fetched: it is not valid gzip")),
        "{error}"
    );
    let uri = coded("gzip", &gzip(&vec![b' '; 50 * INVENTORY_BYTES_MAX]));
    let error = fetch(&uri, &[]).await.expect_err("too large").to_string();
    assert_eq!(
        error,
        format!("{uri}: is larger than {INVENTORY_BYTES_MAX} bytes")
    );
}
