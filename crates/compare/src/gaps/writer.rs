//! A client that sends one announcement after the other to one node.

use super::acknowledged::Acknowledged;
use crate::etc::ENVIRONMENT;
use anyhow::{Context, bail};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Pause after a failed write, before the next attempt.
const PAUSE: Duration = Duration::from_millis(5);
/// Timeout of a write, from the request to the acknowledgement. It is longer than 2 s, the time
/// within which a node responds, with or without a quorum.
const LIMIT: Duration = Duration::from_secs(3);
/// Maximum size of a response's head. Only the head is awaited, because an acknowledgement has no
/// body.
const HEAD_BYTES_MAX: usize = 4_096;

/// A client that writes through one node, on one connection.
pub struct Writer {
    port: u16,
    number: u32,
    token: u64,
    connection: Option<TcpStream>,
}

impl Writer {
    /// Creates the writer with this number, which must be unique in the cluster.
    pub fn new(port: u16, number: u32) -> Writer {
        Writer {
            port,
            number,
            token: 0,
            connection: None,
        }
    }

    /// Writes until the future is dropped.
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

    /// Sends one announcement and waits for its acknowledgement. After an error, the connection
    /// is closed, because the rest of a response may still arrive on it.
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
                bail!("the response is not an acknowledgement");
            }
        }
        let head = String::from_utf8(head).context("the response is not text")?;
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
            "{{\"environment\":\"{ENVIRONMENT}\",\"pool\":\"general\",\"location\":\"/{number}\",\
             \"services\":[{{\"id\":\"00000000-0000-4000-8000-{number:012}\",\"type\":\"gaps\",\
             \"properties\":{{\"token\":\"{token}\"}}}}]}}"
        );
        let length = body.len();
        format!(
            "PUT /v1/announcement/gaps-{number} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    }
}

/// Returns whether the head of a response is complete. The body of a refusal may follow the head.
fn is_whole(head: &[u8]) -> bool {
    head.windows(4).any(|end| end == b"\r\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    const REFUSED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nnone";
    const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";

    /// The end of a refusal's head is recognized even if bytes of the body follow it in the same
    /// read. The writer then sends a new write without waiting for its timeout.
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
