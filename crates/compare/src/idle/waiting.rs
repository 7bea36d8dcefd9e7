//! Connections that asked once and wait.

use anyhow::{Context, ensure};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Connections that are opened at once.
const OPENING_AT_ONCE: usize = 100;
/// One after the other, 10,000 in 10 s: else what the kernel does for each every 10 s, a keep-alive probe, comes for all in one second.
const PACE: Duration = Duration::from_millis(1);
/// An answer that takes longer is none.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Of a type that nobody has: an answer without services.
const REQUEST: &[u8] = b"GET /v1/service/none HTTP/1.1\r\nHost: idle\r\n\r\n";
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// They close with this.
pub struct Waiting(Vec<TcpStream>);

impl Waiting {
    /// Returns once each has had its answer.
    ///
    /// # Errors
    /// When one is turned away.
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

    /// How many of them the server has closed.
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

/// A connection that has had one answer.
async fn ask(port: u16) -> anyhow::Result<TcpStream> {
    let asked = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(REQUEST).await?;
        let mut answer = vec![0; ANSWER_BYTES_MAX];
        let mut read = 0;
        // The body is an object, in a line.
        while !answer[..read].ends_with(b"}\n") {
            let more = stream.read(&mut answer[read..]).await?;
            ensure!(more > 0, "the answer breaks off");
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
        .context("no answer")?
}
