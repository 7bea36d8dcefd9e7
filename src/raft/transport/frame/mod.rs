//! Frames: a length, a request number, a postcard message.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio_util::codec::{Decoder, Encoder, FramedRead, FramedWrite};

/// The largest frame between members. The largest message is an append: the reader gives it 1 MB
/// of entries, or one entry that holds a single announcement of up to the announcement limit; the
/// rest is head room.
pub(crate) const MAX_FRAME_BYTES: usize = 64 << 20;

/// The largest frame of a peer that has not said who it is, or that is no member.
pub(crate) const MAX_STRANGER_FRAME_BYTES: usize = 16 << 10;

/// The largest answer to a node that is no member: a view of a group with as many founders as an
/// inventory may list.
pub(crate) const MAX_ANSWER_TO_STRANGER_BYTES: usize = 256 << 10;

/// Room that a message is given before its length is known: to grow byte by byte costs more than most messages do.
const FIRST_ROOM_BYTES: usize = 4 << 10;

/// Room that a connection has for what it reads before its peer is known.
const READ_ROOM_BYTES: usize = 512;

/// The most that a connection of a member reads at once, beyond as much again as it holds of the
/// frame.
const READ_AHEAD_BYTES: usize = 8 << 10;

/// A buffer that has grown over this is not kept for the frames after it.
const KEPT_ROOM_BYTES: usize = 256 << 10;

const LENGTH_BYTES: usize = size_of::<u32>();

/// The length before a frame.
struct Frames {
    /// A frame that says it is longer ends the connection.
    max_bytes: usize,
}

impl Decoder for Frames {
    type Item = BytesMut;
    type Error = io::Error;

    /// Room is made as bytes arrive, and not for what a length claims.
    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        let Some((head, _)) = buffer.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*head) as usize;
        if length > self.max_bytes {
            return Err(too_large(length, self.max_bytes));
        }
        let missing = (LENGTH_BYTES + length).saturating_sub(buffer.len());
        if missing > 0 {
            buffer.reserve(missing.min(buffer.len().max(READ_AHEAD_BYTES)));
            return Ok(None);
        }
        buffer.advance(LENGTH_BYTES);
        let frame = buffer.split_to(length);
        if length > KEPT_ROOM_BYTES {
            *buffer = BytesMut::from(&buffer[..]);
        }
        Ok(Some(frame))
    }
}

impl Encoder<Bytes> for Frames {
    type Error = io::Error;

    fn encode(&mut self, frame: Bytes, buffer: &mut BytesMut) -> io::Result<()> {
        let length = u32::try_from(frame.len())
            .ok()
            .filter(|_| frame.len() <= self.max_bytes)
            .ok_or_else(|| too_large(frame.len(), self.max_bytes))?;
        buffer.reserve(LENGTH_BYTES + frame.len());
        buffer.put_u32(length);
        buffer.extend_from_slice(&frame);
        Ok(())
    }
}

fn too_large(length: usize, max_bytes: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("a message of {length} bytes is over the limit of {max_bytes}"),
    )
}

/// Sends messages of one type.
pub(crate) struct Sender<IO> {
    frames: FramedWrite<WriteHalf<IO>, Frames>,
}

/// Receives messages of one type.
pub(crate) struct Receiver<IO> {
    frames: FramedRead<ReadHalf<IO>, Frames>,
}

/// Splits a connection into its two directions. Frames are as small as a stranger's until
/// [`Receiver::take_up_to`] says otherwise.
pub(crate) fn split<IO: AsyncRead + AsyncWrite>(io: IO) -> (Sender<IO>, Receiver<IO>) {
    let (read, write) = tokio::io::split(io);
    let (sent, received) = (
        Frames {
            max_bytes: MAX_FRAME_BYTES,
        },
        Frames {
            max_bytes: MAX_STRANGER_FRAME_BYTES,
        },
    );
    (
        Sender {
            frames: FramedWrite::with_capacity(write, sent, READ_ROOM_BYTES),
        },
        Receiver {
            frames: FramedRead::with_capacity(read, received, READ_ROOM_BYTES),
        },
    )
}

impl<IO: AsyncWrite> Sender<IO> {
    /// Sends one encoded message and whatever `more` gives without waiting, in as few writes as possible.
    pub(crate) async fn send_all(
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

    /// Sends one message that a stranger may send: a hello, a welcome, an answer to a stranger.
    pub(crate) async fn send<T: Serialize>(
        &mut self,
        number: u64,
        message: &T,
        max_bytes: usize,
    ) -> io::Result<()> {
        let frame = encode(number, message, max_bytes)?;
        self.send_all(frame, || None).await
    }
}

impl<IO: AsyncRead> Receiver<IO> {
    /// From here on frames may be as long as this.
    pub(crate) fn take_up_to(&mut self, max_bytes: usize) {
        self.frames.decoder_mut().max_bytes = max_bytes;
    }

    /// The next message and its number; `None` when the other side has closed.
    pub(crate) async fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<(u64, T)>> {
        match self.frames.next().await {
            None => Ok(None),
            Some(frame) => decode(&frame?).map(Some),
        }
    }
}

/// Encodes a message as the bytes of a frame.
///
/// # Errors
/// When the frame is over the limit that its reader has.
pub(crate) fn encode<T: Serialize>(
    number: u64,
    message: &T,
    max_bytes: usize,
) -> io::Result<Bytes> {
    let room = Vec::with_capacity(FIRST_ROOM_BYTES);
    let bytes = postcard::to_extend(&(number, message), room).map_err(io::Error::other)?;
    match bytes.len() <= max_bytes {
        true => Ok(Bytes::from(bytes)),
        false => Err(too_large(bytes.len(), max_bytes)),
    }
}

pub(crate) fn decode<T: DeserializeOwned>(frame: &[u8]) -> io::Result<(u64, T)> {
    postcard::from_bytes(frame).map_err(|error| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a peer's message is unreadable: {error}"),
        )
    })
}

#[cfg(test)]
mod tests;
