//! Opens idle connections. Each connection has sent one request and received the response.

use anyhow::{Context, ensure};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Maximum number of connections that are being opened concurrently.
const OPENING_AT_ONCE: usize = 100;
/// Interval between opening two connections. It spreads the kernel's keep-alive probes, one per
/// connection every 10 s. If connections were opened faster, the probes would all be sent in the
/// same second. Opening 10,000 connections takes 10 s.
const PACE: Duration = Duration::from_millis(1);
/// Timeout for opening a connection and receiving the response.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// A lookup of a type that no service has. The response lists no services, so it is small.
const REQUEST: &[u8] = b"GET /v1/service/none HTTP/1.1\r\nHost: idle\r\n\r\n";
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// Open idle connections, which are closed on drop.
pub struct Waiting(Vec<TcpStream>);

impl Waiting {
    /// Opens the connections, and returns when each has received its response.
    ///
    /// # Errors
    /// Fails if a connection is refused.
    pub async fn begin(port: u16, count: u32) -> anyhow::Result<Waiting> {
        let mut opening = JoinSet::new();
        let mut open = Vec::with_capacity(count as usize);
        let mut pace = tokio::time::interval(PACE);
        for _ in 0..count {
            pace.tick().await;
            if opening.len() == OPENING_AT_ONCE {
                open.extend(opened(&mut opening).await?);
            }
            opening.spawn(ask(port));
        }
        while let Some(stream) = opened(&mut opening).await? {
            open.push(stream);
        }
        Ok(Waiting(open))
    }

    /// Returns the number of connections that the server has closed.
    pub fn closed(&self) -> usize {
        let is_open = |stream: &TcpStream| {
            let read = stream.try_read(&mut [0]);
            read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        };
        self.0.iter().filter(|stream| !is_open(stream)).count()
    }
}

async fn opened(
    opening: &mut JoinSet<anyhow::Result<TcpStream>>,
) -> anyhow::Result<Option<TcpStream>> {
    opening.join_next().await.transpose()?.transpose()
}

/// Opens a connection, sends one request and reads the response.
async fn ask(port: u16) -> anyhow::Result<TcpStream> {
    let asked = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(REQUEST).await?;
        let mut answer = vec![0; ANSWER_BYTES_MAX];
        let mut read = 0;
        // The body is a JSON object on a single line.
        while !answer[..read].ends_with(b"}\n") {
            let more = stream.read(&mut answer[read..]).await?;
            ensure!(more > 0, "the response is truncated");
            read += more;
        }
        ensure!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&answer[..read])
        );
        Ok(stream)
    };
    tokio::time::timeout(ANSWER_LIMIT, asked)
        .await
        .context("no response")?
}
