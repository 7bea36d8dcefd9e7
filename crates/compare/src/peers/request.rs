//! Sends the few requests that are not part of a load: status requests and first lookups.

use super::process::Process;
use anyhow::{Context, bail};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Interval between two requests to a server that does not serve yet.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Timeout of one request, after which [`wait_serving`] sends a new request.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Sends a GET request and returns the body of the response.
///
/// # Errors
/// Fails if there is no complete response in time, or its status is not 200.
pub async fn get(port: u16, path: &str) -> anyhow::Result<String> {
    let asked = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            bail!("the response is truncated");
        };
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status != "200" {
            bail!("{status}: {}", body.trim());
        }
        Ok(body.to_owned())
    };
    tokio::time::timeout(ANSWER_LIMIT, asked)
        .await
        .context("no response")?
}

/// Waits until every server responds to a lookup.
///
/// # Errors
/// Fails if a server does not respond within `limit`, or its process ends.
pub async fn wait_serving(
    ports: &[u16],
    limit: Duration,
    processes: &mut [Process],
) -> anyhow::Result<()> {
    let all = async {
        for (port, process) in ports.iter().zip(processes) {
            while get(*port, "/v1/service/none").await.is_err() {
                process.check_running()?;
                tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            }
        }
        Ok(())
    };
    tokio::time::timeout(limit, all)
        .await
        .with_context(|| format!("not every node serves within {limit:?}"))?
}
