//! Frames: a length, a request number, a postcard message.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde::{Serialize, de::DeserializeOwned};
use std::io;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

/// The largest frame. The largest message is an append: the reader gives it 1 MB of entries, or one
/// entry that holds a single announcement of up to the announcement limit; the rest is head room.
const MAX_FRAME_BYTES: usize = 64 << 20;

/// Room that a message is given before its length is known: to grow byte by byte costs more than most messages do.
const FIRST_ROOM_BYTES: usize = 4 << 10;

/// Sends messages of one type.
pub(super) struct Sender<IO> {
    frames: FramedWrite<WriteHalf<IO>, LengthDelimitedCodec>,
}

/// Receives messages of one type.
pub(super) struct Receiver<IO> {
    frames: FramedRead<ReadHalf<IO>, LengthDelimitedCodec>,
}

/// Splits a connection into its two directions.
pub(super) fn split<IO: AsyncRead + AsyncWrite>(io: IO) -> (Sender<IO>, Receiver<IO>) {
    let (read, write) = tokio::io::split(io);
    let codec = || {
        LengthDelimitedCodec::builder()
            .max_frame_length(MAX_FRAME_BYTES)
            .new_codec()
    };
    (
        Sender {
            frames: FramedWrite::new(write, codec()),
        },
        Receiver {
            frames: FramedRead::new(read, codec()),
        },
    )
}

impl<IO: AsyncWrite> Sender<IO> {
    /// Sends one encoded message and whatever `more` gives without waiting, in as few writes as possible.
    pub(super) async fn send_all(
        &mut self,
        first: Bytes,
        mut more: impl FnMut() -> Option<Bytes>,
    ) -> io::Result<()> {
        self.frames.feed(first).await?;
        while let Some(next) = more() {
            self.frames.feed(next).await?;
        }
        SinkExt::<Bytes>::flush(&mut self.frames).await
    }

    /// Sends one message.
    pub(super) async fn send<T: Serialize>(&mut self, number: u64, message: &T) -> io::Result<()> {
        let frame = encode(number, message)?;
        self.send_all(frame, || None).await
    }
}

impl<IO: AsyncRead> Receiver<IO> {
    /// The next message and its number; `None` when the other side has closed.
    pub(super) async fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<(u64, T)>> {
        match self.frames.next().await {
            None => Ok(None),
            Some(frame) => decode(&frame?).map(Some),
        }
    }
}

/// A message as the bytes of a frame.
pub(super) fn encode<T: Serialize>(number: u64, message: &T) -> io::Result<Bytes> {
    let room = Vec::with_capacity(FIRST_ROOM_BYTES);
    let bytes = postcard::to_extend(&(number, message), room).map_err(io::Error::other)?;
    if bytes.len() > MAX_FRAME_BYTES {
        return Err(io::Error::other(format!(
            "a message of {} bytes is over the frame limit",
            bytes.len()
        )));
    }
    Ok(Bytes::from(bytes))
}

pub(super) fn decode<T: DeserializeOwned>(frame: &[u8]) -> io::Result<(u64, T)> {
    postcard::from_bytes(frame).map_err(|error| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a peer's message is unreadable: {error}"),
        )
    })
}
