//! A client that announces one thing after the other.

use super::acknowledged::Acknowledged;
use crate::etc::ENVIRONMENT;
use anyhow::{Context, bail};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// After a write that failed.
const PAUSE: Duration = Duration::from_millis(5);
/// A node answers within 2 s, with or without a quorum.
const LIMIT: Duration = Duration::from_secs(3);
/// Of an answer's head: an acknowledgement has no body.
const HEAD_BYTES_MAX: usize = 4_096;

/// Writes through one node.
pub struct Writer {
    port: u16,
    number: u32,
    token: u64,
    connection: Option<TcpStream>,
}

impl Writer {
    /// The n-th writer of a cluster.
    pub fn new(port: u16, number: u32) -> Writer {
        Writer {
            port,
            number,
            token: 0,
            connection: None,
        }
    }

    /// Writes for as long as it is polled.
    pub async fn run(mut self, acknowledged: Arc<Acknowledged>) {
        loop {
            match tokio::time::timeout(LIMIT, self.write()).await {
                Ok(Ok(())) => acknowledged.note(),
                _ => {
                    self.connection = None;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// One write; an error leaves the connection in an unknown state.
    async fn write(&mut self) -> anyhow::Result<()> {
        self.token += 1;
        let request = self.request();
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let opened = TcpStream::connect(("127.0.0.1", self.port)).await?;
                opened.set_nodelay(true)?;
                opened
            }
        };
        connection.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !is_whole(&head) {
            let read = connection.read_buf(&mut head).await?;
            if read == 0 || head.len() > HEAD_BYTES_MAX {
                bail!("the answer is none of an acknowledgement");
            }
        }
        let head = String::from_utf8(head).context("the answer is no text")?;
        if !head.starts_with("HTTP/1.1 202 ") {
            bail!("refused: {head}");
        }
        self.connection = Some(connection);
        Ok(())
    }

    fn request(&self) -> String {
        let Writer {
            port,
            number,
            token,
            ..
        } = self;
        let body = format!(
            r#"{{"environment":"{ENVIRONMENT}","pool":"general","location":"/{number}","services":[{{"id":"00000000-0000-4000-8000-{number:012}","type":"gaps","properties":{{"token":"{token}"}}}}]}}"#
        );
        let length = body.len();
        format!(
            "PUT /v1/announcement/gaps-{number} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    }
}

/// Whether a head has come to its end; a refusal's body comes with it.
fn is_whole(head: &[u8]) -> bool {
    head.windows(4).any(|end| end == b"\r\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    const REFUSED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nnone";
    const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";

    /// A refusal is known for one at once, though its body comes in one piece with its head; the next write is another.
    #[tokio::test]
    async fn a_refusal_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let serving = async {
            for answer in [REFUSED, ACCEPTED] {
                let (mut stream, _) = listener.accept().await.expect("a writer");
                let mut bytes = [0; 4_096];
                let _ = stream.read(&mut bytes).await.expect("a request");
                stream.write_all(answer).await.expect("it reads");
            }
            std::future::pending().await
        };
        let acknowledged = Arc::new(Acknowledged::default());
        let writing = Writer::new(port, 0).run(acknowledged.clone());
        let reached = tokio::time::timeout(LIMIT / 2, acknowledged.reached(1));
        tokio::select! {
            reached = reached => reached.expect("both answers are seen in time"),
            () = writing => {}
            () = serving => {}
        }
    }
}
